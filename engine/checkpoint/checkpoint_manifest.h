#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "engine/spec/manifest.h"

namespace enigma::engine {

struct CheckpointFile {
  std::string name;
  uint64_t bytes = 0;
  Sha256 hash{};
  friend bool operator==(const CheckpointFile&, const CheckpointFile&) = default;
};

// What a checkpoint holds and where it comes from. Plain data.
struct CheckpointManifest {
  uint64_t step = 0;  // steps done
  std::vector<CheckpointFile> files = {};
  std::optional<double> validation_loss = {};  // in nats, finite; none where it was not measured
  std::string made_by = {};                    // node
  absl::Time time = {};                        // stored to the millisecond
};

// Letters, digits, '.', '_' and '-', at most 100, no '.' first, and not the manifest's own name: a file's name may come
// from another machine and becomes part of a path.
absl::Status CheckCheckpointFileName(std::string_view name);

// JSON text form: what lies beside the files, and what travels with them. It holds a SHA-256 of its own, so that a
// flipped bit does not pass for another step or loss. InvalidArgument for what ToJson cannot store: a loss that is not
// finite, text that is no UTF-8, a file name that is none or occurs twice.
absl::StatusOr<std::string> CheckpointManifestToJson(const CheckpointManifest& manifest);
// DataLoss says what is wrong; Unimplemented for the format of a later version.
absl::StatusOr<CheckpointManifest> CheckpointManifestFromJson(std::string_view json);

}  // namespace enigma::engine
