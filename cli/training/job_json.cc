#include "cli/training/job_json.h"

#include <cmath>

namespace enigma::cli {

namespace {

Json Number(double value) { return std::isfinite(value) ? Json(value) : Json(nullptr); }

template <class List>
Json Array(const List& list) {
  Json array = Json::array();
  for (const auto& item : list) array.push_back(item);
  return array;
}

}  // namespace

Json Parsed(const std::string& text) {
  Json value = Json::parse(text, nullptr, /*allow_exceptions=*/false);
  return value.is_discarded() ? Json(nullptr) : value;
}

Json ToJson(const v1::JobInfo& job) {
  Json json = {{"job", job.job()},
               {"model", job.model()},
               {"task", job.task()},
               {"state", job.state()},
               {"reason", job.reason()},
               {"step", job.step()},
               {"steps", job.steps()},
               {"loss", Number(job.loss())},
               {"validation_loss", Number(job.validation_loss())},
               {"best_validation_loss", Number(job.best_validation_loss())},
               {"best_step", job.best_step()},
               {"tokens_per_second", Number(job.tokens_per_second())},
               {"gradient_norm", Number(job.gradient_norm())},
               {"learning_rate", Number(job.learning_rate())},
               {"mfu", Number(job.mfu())},
               {"seconds_left", Number(job.seconds_left())},
               {"wire_share", Number(job.wire_share())},
               {"ranks", Array(job.ranks())},
               {"slots", Array(job.slots())},
               {"submitted_unix_ms", job.submitted_unix_ms()},
               {"ended_unix_ms", job.ended_unix_ms()},
               {"parameters", job.parameters()},
               {"priority", job.priority()},
               {"queue_place", job.queue_place()},
               {"checkpoint_step", job.checkpoint_step()},
               {"model_step", job.model_step()},
               {"data_epoch", Number(job.data_epoch())},
               {"flops_per_token", Number(job.flops_per_token())}};
  if (!job.config_json().empty()) json["config"] = Parsed(job.config_json());
  if (!job.report_json().empty()) json["report"] = Parsed(job.report_json());
  if (!job.warnings().empty()) json["warnings"] = Array(job.warnings());
  return json;
}

Json ToJson(const v1::JobPoint& point) {
  Json json = {{"step", point.step()}, {"loss", Number(point.loss())}};
  if (point.has_validation_loss()) json["validation_loss"] = Number(point.validation_loss());
  json["gradient_norm"] = Number(point.gradient_norm());
  json["learning_rate"] = Number(point.learning_rate());
  json["tokens_per_second"] = Number(point.tokens_per_second());
  return json;
}

Json ToJson(const v1::EstimateJobReply& estimate) {
  return {{"shape", estimate.shape()},
          {"parameters", estimate.parameters()},
          {"memory_bytes", estimate.memory_bytes()},
          {"flops_per_token", Number(estimate.flops_per_token())},
          {"tokens_per_second", Number(estimate.tokens_per_second())},
          {"step_seconds", Number(estimate.step_seconds())},
          {"wire_share", Number(estimate.wire_share())},
          {"steps", estimate.steps()},
          {"seconds", Number(estimate.seconds())},
          {"nodes", Array(estimate.nodes())},
          {"warnings", Array(estimate.warnings())},
          {"config", Parsed(estimate.config_json())}};
}

}  // namespace enigma::cli
