#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/spec/gguf.h"
#include "engine/spec/manifest.h"

namespace enigma::engine {

struct StoredTensor {
  const TensorInfo* info;
  std::span<const uint8_t> data;
};

// Where a stage takes its weights from. Implementations are immutable and thread-safe; data lives as long as the
// source.
class WeightSource {
 public:
  virtual ~WeightSource() = default;
  virtual const GgufFile& head() const = 0;  // metadata and tensor table
  // NotFound names the tensor; so does data that this source does not hold.
  virtual absl::StatusOr<StoredTensor> Tensor(std::string_view name) const = 0;
};

// A whole GGUF file, memory-mapped.
absl::StatusOr<std::unique_ptr<WeightSource>> OpenGgufWeights(const std::string& path);

// Pieces of a manifest lying as files: `paths[i]` holds `blobs[i]` (memory-mapped; sizes checked, hashes are the
// fetcher's business). The head blob must be among them.
absl::StatusOr<std::unique_ptr<WeightSource>> OpenBlobWeights(const std::vector<const Blob*>& blobs,
                                                              const std::vector<std::string>& paths,
                                                              uint64_t file_bytes);

}  // namespace enigma::engine
