#include "coordinator/jobs/job.h"

#include <array>
#include <cmath>

#include <absl/strings/escaping.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "coordinator/state/record_json.h"

namespace enigma::coordinator {
namespace {

constexpr std::array<std::string_view, kJobStates> kNames = {"queued",    "preparing", "running", "paused",   "waiting",
                                                             "exporting", "done",      "failed",  "cancelled"};

struct Moves {
  JobState from;
  std::vector<JobState> to;
};

const std::vector<Moves>& LegalMoves() {
  using enum JobState;
  static const std::vector<Moves> table = {
      {kQueued, {kPreparing, kFailed, kCancelled}},
      {kPreparing, {kRunning, kWaiting, kExporting, kFailed, kCancelled}},
      {kRunning, {kPaused, kWaiting, kExporting, kFailed, kCancelled}},
      {kPaused, {kRunning, kWaiting, kExporting, kFailed, kCancelled}},
      {kWaiting, {kPreparing, kRunning, kExporting, kFailed, kCancelled}},
      {kExporting, {kRunning, kWaiting, kDone, kFailed, kCancelled}},
      {kDone, {}},
      {kFailed, {kQueued}},
      {kCancelled, {kQueued}},
  };
  return table;
}

absl::StatusOr<JobState> StateNamed(std::string_view key, const std::string& name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i] == name) return static_cast<JobState>(i);
  }
  return CorruptRecord(key, "no state of a job is called '" + name + "'");
}

// JSON has no infinities; a loss that became one is not worth losing the record for.
double Finite(double value) { return std::isfinite(value) ? value : 0; }

nlohmann::json JsonOf(const JobFileInfo& file) {
  return {{"name", file.name}, {"bytes", file.bytes}, {"sha256", absl::BytesToHexString(file.sha256)}};
}

void FileFrom(const nlohmann::json& json, JobFileInfo& file) {
  json.at("name").get_to(file.name);
  json.at("bytes").get_to(file.bytes);
  file.sha256 = absl::HexStringToBytes(json.at("sha256").get<std::string>());
}

nlohmann::json JsonOf(const ValidationBook& book) {
  return {{"step", book.step},
          {"loss", Finite(book.loss)},
          {"best_step", book.best_step},
          {"best_loss", Finite(book.best_loss)},
          {"since_best", book.since_best}};
}

void BookFrom(const nlohmann::json& json, ValidationBook& book) {
  json.at("step").get_to(book.step);
  json.at("loss").get_to(book.loss);
  json.at("best_step").get_to(book.best_step);
  json.at("best_loss").get_to(book.best_loss);
  json.at("since_best").get_to(book.since_best);
}

nlohmann::json JsonOf(const JobProgress& progress) {
  return {{"step", progress.step},
          {"loss", Finite(progress.loss)},
          {"gradient_norm", Finite(progress.gradient_norm)},
          {"learning_rate", Finite(progress.learning_rate)},
          {"tokens_per_second", Finite(progress.tokens_per_second)},
          {"step_seconds", Finite(progress.step_seconds)},
          {"wire_share", Finite(progress.wire_share)},
          {"mfu", Finite(progress.mfu)},
          {"data_epoch", Finite(progress.data_epoch)},
          {"ranks", progress.ranks},
          {"slots", progress.slots}};
}

void ProgressFrom(const nlohmann::json& json, JobProgress& progress) {
  json.at("step").get_to(progress.step);
  json.at("loss").get_to(progress.loss);
  json.at("gradient_norm").get_to(progress.gradient_norm);
  json.at("learning_rate").get_to(progress.learning_rate);
  json.at("tokens_per_second").get_to(progress.tokens_per_second);
  json.at("step_seconds").get_to(progress.step_seconds);
  json.at("wire_share").get_to(progress.wire_share);
  json.at("mfu").get_to(progress.mfu);
  json.at("data_epoch").get_to(progress.data_epoch);
  json.at("ranks").get_to(progress.ranks);
  json.at("slots").get_to(progress.slots);
}

// What was told once.
void OrderFrom(const nlohmann::json& json, Job& job) {
  json.at("id").get_to(job.id);
  json.at("model").get_to(job.model);
  job.base_model = json.value("base_model", "");  // records from before there were bases have none
  job.base_id = json.value("base_id", "");
  json.at("task").get_to(job.task);
  json.at("priority").get_to(job.priority);
  json.at("workers_max").get_to(job.workers_max);
  job.gloo = json.value("gloo", false);  // records from before there was a choice say nothing
  json.at("keep_checkpoints").get_to(job.keep_checkpoints);
  json.at("submitted_unix_ms").get_to(job.submitted_unix_ms);
  json.at("config").get_to(job.config_json);
  json.at("report").get_to(job.report_json);
  json.at("warnings").get_to(job.warnings);
  json.at("steps").get_to(job.steps);
  json.at("parameters").get_to(job.parameters);
  json.at("flops_per_token").get_to(job.flops_per_token);
  FileFrom(json.at("token_set"), job.token_set);
  FileFrom(json.at("tokenizer"), job.tokenizer);
  // Records from before there were pictures say nothing.
  if (json.contains("picture_set")) FileFrom(json.at("picture_set"), job.picture_set);
}

// What became of it.
void CourseFrom(const nlohmann::json& json, Job& job) {
  json.at("reason").get_to(job.reason);
  json.at("cancel_requested").get_to(job.cancel_requested);
  json.at("ended_unix_ms").get_to(job.ended_unix_ms);
  json.at("epoch").get_to(job.epoch);
  json.at("members").get_to(job.members);
  json.at("checkpoint_step").get_to(job.checkpoint_step);
  job.model_step = json.value("model_step", uint64_t{0});  // records from before the best was chosen have none
  BookFrom(json.at("validation"), job.validation);
  ProgressFrom(json.at("progress"), job.progress);
}

}  // namespace

std::string_view JobStateName(JobState state) { return kNames[static_cast<size_t>(state)]; }

bool MayMove(JobState from, JobState to) {
  for (const Moves& moves : LegalMoves()) {
    if (moves.from != from) continue;
    for (const JobState legal : moves.to) {
      if (legal == to) return true;
    }
  }
  return false;
}

bool IsLive(JobState state) {
  return state != JobState::kDone && state != JobState::kFailed && state != JobState::kCancelled;
}
bool IsUnderWay(JobState state) { return IsLive(state) && state != JobState::kQueued; }

void ValidationBook::Note(uint64_t at_step, double at_loss) {
  if (at_step <= step) return;
  step = at_step;
  loss = at_loss;
  ++since_best;
  if (best_step != 0 && !(at_loss < best_loss)) return;
  best_step = at_step;
  best_loss = at_loss;
  since_best = 0;
}

void ValidationBook::Note(const ValidationBook& told) {
  if (told.step > step) *this = told;
}

std::string RecordOfJob(const Job& job) {
  nlohmann::json json = {{"id", job.id},
                         {"model", job.model},
                         {"base_model", job.base_model},
                         {"base_id", job.base_id},
                         {"task", job.task},
                         {"state", JobStateName(job.state)},
                         {"reason", job.reason},
                         {"priority", job.priority},
                         {"workers_max", job.workers_max},
                         {"gloo", job.gloo},
                         {"keep_checkpoints", job.keep_checkpoints},
                         {"cancel_requested", job.cancel_requested},
                         {"submitted_unix_ms", job.submitted_unix_ms},
                         {"ended_unix_ms", job.ended_unix_ms},
                         {"config", job.config_json},
                         {"report", job.report_json},
                         {"warnings", job.warnings},
                         {"steps", job.steps},
                         {"parameters", job.parameters},
                         {"flops_per_token", job.flops_per_token},
                         {"token_set", JsonOf(job.token_set)},
                         {"tokenizer", JsonOf(job.tokenizer)},
                         {"picture_set", JsonOf(job.picture_set)},
                         {"epoch", job.epoch},
                         {"members", job.members},
                         {"checkpoint_step", job.checkpoint_step},
                         {"model_step", job.model_step},
                         {"validation", JsonOf(job.validation)},
                         {"progress", JsonOf(job.progress)}};
  // Reasons come from other machines, and may hold anything.
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

absl::StatusOr<Job> JobFromRecord(std::string_view key, std::string_view record) {
  ENIGMA_ASSIGN_OR_RETURN(const nlohmann::json json, JsonFromRecord(key, record));
  Job job;
  std::string state;
  try {
    OrderFrom(json, job);
    CourseFrom(json, job);
    json.at("state").get_to(state);
  } catch (const nlohmann::json::exception& error) {
    return CorruptRecord(key, error.what());
  }
  ENIGMA_ASSIGN_OR_RETURN(job.state, StateNamed(key, state));
  return job;
}

}  // namespace enigma::coordinator
