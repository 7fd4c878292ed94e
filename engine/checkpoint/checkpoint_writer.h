#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "engine/checkpoint/checkpoint_folder.h"
#include "engine/checkpoint/checkpoint_manifest.h"
#include "engine/checkpoint/durable_file.h"

namespace enigma::engine {

// One checkpoint on its way to the disk. After an error it takes nothing more. Gone without a Commit, it leaves nothing
// behind. Not thread-safe.
class CheckpointWriter {
 public:
  ~CheckpointWriter();
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;

  // The next bytes of a file; files come one after another. ResourceExhausted, with path and bytes, on a full disk.
  absl::Status Append(const std::string& file, std::span<const uint8_t> bytes);

  // Makes everything durable and visible, and gives the manifest as it is stored. The step is that of Begin. Where
  // `manifest` lists files, as a sender has counted them, they must be what was written: DataLoss names the file. When
  // only the very last flush fails, the checkpoint may be there all the same, and is whole if it is.
  absl::StatusOr<CheckpointManifest> Commit(CheckpointManifest manifest);

  uint64_t bytes() const { return bytes_; }  // of all files so far

 private:
  friend class CheckpointFolder;
  CheckpointWriter(CheckpointFolder& folder, uint64_t step);

  absl::Status MakeFolder();
  absl::Status AppendTo(const std::string& file, std::span<const uint8_t> bytes);
  absl::Status FinishFile();
  absl::Status WriteManifest(const std::string& json);
  absl::Status PutInPlace();

  CheckpointFolder& folder_;
  const uint64_t step_;
  const std::string partial_path_;
  std::unique_ptr<DurableFile> file_;
  std::optional<Sha256Hasher> hasher_;
  std::vector<CheckpointFile> files_;  // the last is file_
  uint64_t bytes_ = 0;
  absl::Status failed_;
  bool in_place_ = false;
};

}  // namespace enigma::engine
