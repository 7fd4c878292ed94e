#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

namespace enigma::coordinator {

enum class JobState {
  kQueued,     // its data are prepared; it waits for its turn
  kPreparing,  // workers fetch what they need, and no step is being done
  kRunning,
  kPaused,     // at a step boundary, while a worker joins or leaves
  kWaiting,    // there is no worker that could go on
  kExporting,  // all steps are done; a worker writes and checks the model
  kDone,       // the model is registered
  kFailed,
  kCancelled,
};
inline constexpr size_t kJobStates = 9;
std::string_view JobStateName(JobState state);

// The one table of what may follow what. A job that failed or was cancelled may be queued again; nothing follows done.
bool MayMove(JobState from, JobState to);
// Whether the job has not ended.
bool IsLive(JobState state);
// Whether a job runner works on it.
bool IsUnderWay(JobState state);

// A file of a job, as workers fetch it by name.
struct JobFileInfo {
  std::string name;
  uint64_t bytes = 0;
  std::string sha256;  // 32 bytes
};

// What the validations of a job told so far.
struct ValidationBook {
  uint64_t step = 0;  // of the last one; 0: none yet
  double loss = 0;
  uint64_t best_step = 0;  // 0: none yet
  double best_loss = 0;
  uint32_t since_best = 0;  // validations without an improvement
  // Told twice, as after a lost step, it counts once.
  void Note(uint64_t at_step, double at_loss);
  // All validations up to a later step, in short.
  void Note(const ValidationBook& told);
};

// Where a job stands: of the last step, and measured over the last steps.
struct JobProgress {
  uint64_t step = 0;  // steps done
  double loss = 0;    // of the last step; meaningless at step 0
  double gradient_norm = 0;
  double learning_rate = 0;
  double tokens_per_second = 0;
  double step_seconds = 0;
  double wire_share = 0;  // of a step that the leader waits for others and the wire
  double mfu = 0;         // see proto/training.proto
  double data_epoch = 0;
  std::vector<std::string> ranks;  // labels of the nodes, in order
  std::vector<uint32_t> slots;     // that each computed in the last step
};

// One training of one model, as it is stored (record "job/<id>") and given out in copies. Plain data.
struct Job {
  uint64_t id = 0;
  std::string model;       // name of what is made
  std::string base_model;  // that it starts from; empty: none
  std::string base_id;     // of that model's manifest, in hex
  std::string task;
  JobState state = JobState::kQueued;
  std::string reason;  // why it is in this state, where that needs one
  int32_t priority = 0;
  uint32_t workers_max = 0;  // at most one for each slot of a step; 0: all
  bool gloo = false;         // sums go through Gloo, in plain text
  uint32_t keep_checkpoints = 3;
  bool cancel_requested = false;
  int64_t submitted_unix_ms = 0;
  int64_t ended_unix_ms = 0;  // 0: it has not

  std::string config_json;  // engine/spec/training_config.h
  std::string report_json;  // engine/corpus/corpus_report.h
  std::vector<std::string> warnings;
  uint64_t steps = 0;
  uint64_t parameters = 0;
  double flops_per_token = 0;  // as proto/training.proto has it
  JobFileInfo token_set;
  JobFileInfo tokenizer;
  JobFileInfo picture_set;  // of one that trains an image encoder; else without a name

  // The epoch that was begun last (docs/training.md), so that a coordinator that starts anew finds its ranks.
  uint64_t epoch = 0;
  std::vector<std::string> members;  // node ids in order; empty: none is under way

  uint64_t checkpoint_step = 0;  // of the newest one that is whole; 0: none
  uint64_t model_step = 0;       // whose weights are in the model; 0: there is none yet
  ValidationBook validation;
  JobProgress progress;
};

// JSON texts. DATA_LOSS names the key.
std::string RecordOfJob(const Job& job);
absl::StatusOr<Job> JobFromRecord(std::string_view key, std::string_view record);

}  // namespace enigma::coordinator
