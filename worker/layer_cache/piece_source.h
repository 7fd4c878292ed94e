#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/functional/function_ref.h>
#include <absl/status/statusor.h>

#include "engine/spec/manifest.h"

namespace enigma::worker {

// Somebody who may have pieces: another worker, the coordinator. Calls may come from several threads.
class PieceSource {
 public:
  virtual ~PieceSource() = default;
  virtual std::string name() const = 0;  // for messages
  // Which of these it has.
  virtual absl::StatusOr<std::vector<bool>> Has(const std::vector<engine::Sha256>& hashes) = 0;
  // Hands the piece's bytes from `offset` on to `sink`, part by part; ends early with the sink's error.
  virtual absl::Status Read(const engine::Sha256& hash, uint64_t offset,
                            absl::FunctionRef<absl::Status(std::string_view)> sink) = 0;
};

}  // namespace enigma::worker
