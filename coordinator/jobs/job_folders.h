#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>

#include "coordinator/jobs/job.h"
#include "engine/checkpoint/checkpoint_folder.h"

namespace enigma::coordinator {

// Names of a job's files, as workers ask for them.
inline constexpr char kTokenSetFile[] = "tokens.bin";
inline constexpr char kTokenizerFile[] = "tokenizer.gguf";
inline constexpr char kPictureSetFile[] = "pictures.bin";
std::string CheckpointFileName(uint64_t step);
// The file inside a checkpoint that holds the state.
inline constexpr char kStateFile[] = "state.safetensors";

// What jobs keep on the coordinator's disk, one folder each, named by the id:
//   incoming/       data as they were uploaded, until they are prepared
//   tokens.bin      the token set (engine/corpus/token_set.h)
//   tokenizer.gguf  a vocabulary
//   pictures.bin    the picture set, of a job with pictures (engine/corpus/picture_set.h)
//   checkpoints/    (engine/checkpoint/checkpoint_folder.h)
//   exports/        the model: model.gguf, model.safetensors, ...; with pictures encoder.gguf
// Thread-safe.
class JobFolders {
 public:
  // `path`: <data-dir>/jobs.
  explicit JobFolders(std::string path) : path_(std::move(path)) {}

  // Makes the folder of a job with `incoming` and `exports`. Errors name the path.
  absl::Status Create(uint64_t job);
  absl::Status Remove(uint64_t job);
  // Removes folders of jobs that are not among these: of submissions that never came to an end.
  absl::Status RemoveAllBut(const std::set<uint64_t>& jobs);

  std::string PathOf(uint64_t job) const;
  std::string IncomingPath(uint64_t job) const { return PathOf(job) + "/incoming"; }
  std::string TokenSetPath(uint64_t job) const { return PathOf(job) + "/" + kTokenSetFile; }
  std::string TokenizerPath(uint64_t job) const { return PathOf(job) + "/" + kTokenizerFile; }
  std::string PictureSetPath(uint64_t job) const { return PathOf(job) + "/" + kPictureSetFile; }
  // Of what a worker exported, by the kind that proto/rank.proto names; INVALID_ARGUMENT for others.
  absl::StatusOr<std::string> ExportPath(uint64_t job, std::string_view kind) const;

  // shared because a checkpoint may be on its way while the job is removed.
  absl::StatusOr<std::shared_ptr<engine::CheckpointFolder>> Checkpoints(uint64_t job);
  // The newest checkpoint that is whole, hash included, as a file to fetch; no name and step 0: there is none.
  struct Checkpoint {
    uint64_t step = 0;
    JobFileInfo file;
  };
  absl::StatusOr<Checkpoint> NewestCheckpoint(uint64_t job);
  // That of one step, which is read for its hash. NOT_FOUND where there is none, DATA_LOSS where it is damaged.
  absl::StatusOr<Checkpoint> CheckpointOf(uint64_t job, uint64_t step);
  // Where the file of that name lies. NOT_FOUND for names that no file of a job has.
  absl::StatusOr<std::string> FindFile(uint64_t job, std::string_view name);

 private:
  const std::string path_;
  absl::Mutex mutex_;
  std::map<uint64_t, std::shared_ptr<engine::CheckpointFolder>> checkpoints_ ABSL_GUARDED_BY(mutex_);
  std::map<uint64_t, uint64_t> whole_ ABSL_GUARDED_BY(mutex_);  // by job: step whose hash was checked
};

// Length and hash of a file, which is read for that.
absl::StatusOr<JobFileInfo> DescribeFile(const std::string& path, std::string name);

}  // namespace enigma::coordinator
