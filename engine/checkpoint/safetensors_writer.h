#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "engine/checkpoint/safetensors.h"

namespace enigma::engine {

// Takes the next bytes of something that is written in order; an error ends the writing.
using ByteSink = std::function<absl::Status(std::span<const uint8_t>)>;

struct SafetensorsPlan {
  std::string name;
  SafetensorsType type;
  std::vector<uint64_t> shape;  // outermost first
};

// Writes safetensors to a sink: the head at once, then the tensors' data as they come. The data begin at a multiple of
// 64 bytes, so floats of a mapped file can be read as they lie. Not thread-safe.
class SafetensorsWriter {
 public:
  // InvalidArgument, naming the tensor, for a size that overflows, a name that occurs twice or is no UTF-8, and for
  // metadata that are no UTF-8; otherwise what the sink says.
  static absl::StatusOr<SafetensorsWriter> Create(const std::vector<SafetensorsPlan>& tensors,
                                                  const SafetensorsMetadata& metadata, ByteSink sink);

  // The next bytes of the data: tensors in the plan's order, in any number of calls.
  absl::Status Write(std::span<const uint8_t> bytes);
  // FailedPrecondition unless the data are complete.
  absl::Status Finish() const;

  uint64_t total_bytes() const { return total_bytes_; }  // of the whole file

 private:
  SafetensorsWriter(ByteSink sink, uint64_t total_bytes) : sink_(std::move(sink)), total_bytes_(total_bytes) {}

  ByteSink sink_;
  uint64_t total_bytes_;
  uint64_t written_ = 0;
};

}  // namespace enigma::engine
