#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>

#include "engine/checkpoint/checkpoint_manifest.h"

namespace enigma::engine {

class CheckpointWriter;

enum class CheckpointCheck {
  kLengths,  // the manifest and every file's length: cheap
  kHashes,   // the files' SHA-256 too: reads all of them
};

struct ListedCheckpoint {
  uint64_t step = 0;
  absl::StatusOr<CheckpointManifest> manifest;  // lengths checked; else why it cannot be used
};

struct NewestCheckpoint {
  CheckpointManifest manifest;
  std::vector<std::string> skipped;  // newer ones that cannot be used, a sentence each that says why
};

struct PrunePolicy {
  uint32_t keep_newest = 2;  // at least 1 is kept
  bool keep_best = true;     // the one of least validation loss besides; the newest of several
  std::set<uint64_t> keep_steps = {};
};

// The checkpoints of one job: a folder "step-000000100" each, with named files and manifest.json. One is written under
// a name that ends in ".partial", flushed, and renamed as the last thing; so what has the right name is whole, and what
// was under way when the process or the machine died is ignored and, at the next Open or Begin, removed. For one
// process at a time. Thread-safe; calls wait for each other.
class CheckpointFolder {
 public:
  struct Options {
    std::string path;
    // Hears of every change on disk before it is made, and keeps it from being made with an error. For tests.
    std::function<absl::Status(const std::string& change)> before_change = nullptr;
  };
  // Makes the folder where it is missing.
  static absl::StatusOr<std::unique_ptr<CheckpointFolder>> Open(Options options);

  // Starts a checkpoint, one at a time: FailedPrecondition while another writer lives. AlreadyExists when there is a
  // whole one of that step (hashes checked); a damaged one stays until the new one takes its place. ResourceExhausted,
  // with numbers, when `bytes_expected` are more than are free. The folder must outlive the writer.
  absl::StatusOr<std::unique_ptr<CheckpointWriter>> Begin(uint64_t step, uint64_t bytes_expected = 0);

  // In rising order of steps.
  absl::StatusOr<std::vector<ListedCheckpoint>> List() const;
  // NotFound when there is none of that step, DataLoss when it is damaged; both name the path.
  absl::StatusOr<CheckpointManifest> Read(uint64_t step, CheckpointCheck check) const;
  // NotFound, with what was skipped, when there is none that can be used.
  absl::StatusOr<NewestCheckpoint> NewestValid(CheckpointCheck check) const;
  std::string FilePath(uint64_t step, const std::string& file) const;

  // Removes what is older than the newest valid one and not to be kept, damaged ones too, and returns those steps. The
  // newest valid one, whose hashes are checked unless this process wrote it, always stays, as does anything newer.
  absl::StatusOr<std::vector<uint64_t>> Prune(const PrunePolicy& policy);

  // Removes all that are newer than this step.
  absl::Status RemoveAfter(uint64_t step);
  bool writing() const;

  const std::string& path() const { return options_.path; }

 private:
  friend class CheckpointWriter;
  explicit CheckpointFolder(Options options) : options_(std::move(options)) {}

  absl::Status Change(const std::string& what) const;
  std::string PathOf(uint64_t step) const;
  absl::Status RemoveUnfinished() const;
  absl::Status Remove(uint64_t step) const;
  absl::StatusOr<std::vector<ListedCheckpoint>> ListLocked() const;
  // Into the list, if any.
  absl::StatusOr<std::optional<size_t>> FindNewestWhole(const std::vector<ListedCheckpoint>& list)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  mutable absl::Mutex mutex_;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<uint64_t> known_whole_ ABSL_GUARDED_BY(mutex_);  // step that this process wrote, or hashed
};

}  // namespace enigma::engine
