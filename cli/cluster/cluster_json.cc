#include "cli/cluster/cluster_json.h"

#include <absl/strings/str_cat.h>

#include "coordinator/state/priority.h"

namespace enigma::cli {

namespace {

template <typename Messages>
Json ArrayOf(const Messages& messages) {
  Json array = Json::array();
  for (const auto& message : messages) array.push_back(ToJson(message));
  return array;
}

template <typename Strings>
Json TextsOf(const Strings& strings) {
  Json array = Json::array();
  for (const std::string& text : strings) array.push_back(text);
  return array;
}

// People count to the last layer of a stage; messages name the one behind it.
template <typename Stage>
uint32_t LastLayer(const Stage& stage) {
  return stage.last_layer() == 0 ? 0 : stage.last_layer() - 1;
}

}  // namespace

Json ToJson(const v1::StageStatus& stage) {
  return {{"replica", stage.replica()},
          {"model", stage.model()},
          {"stage_index", stage.stage_index()},
          {"first_layer", stage.first_layer()},
          {"last_layer", LastLayer(stage)},
          {"encoder", stage.encoder()},
          {"sequences", stage.sequences()},
          {"steps", stage.steps()},
          {"last_step_age_ms", stage.last_step_age_ms()},
          {"busy", stage.busy()}};
}

Json ToJson(const v1::NodeVerdict& verdict) {
  return {{"node_id", verdict.node_id()},
          {"host_name", verdict.host_name()},
          {"used", verdict.used()},
          {"reason", verdict.reason()}};
}

Json ToJson(const v1::NodeInfo& node) {
  const v1::Capability& capability = node.capability();
  return {{"node_id", node.node_id()},
          {"host_name", node.host_name()},
          {"state", node.state()},
          {"state_reason", node.state_reason()},
          {"endpoints", TextsOf(node.endpoints())},
          {"last_seen_age_ms", node.last_seen_age_ms()},
          {"version", node.version()},
          {"found_by", node.found_by()},
          {"capability",
           {{"memory_bytes_per_second", capability.memory_bytes_per_second()},
            {"flops_per_second", capability.flops_per_second()},
            {"memory_total_bytes", capability.memory_total_bytes()},
            {"memory_free_bytes", capability.memory_free_bytes()},
            {"disk_free_bytes", capability.disk_free_bytes()},
            {"threads", capability.threads()},
            {"contract", capability.contract()},
            {"simd_target", capability.simd_target()},
            {"trusted_network", capability.trusted_network()}}},
          {"stages", ArrayOf(node.stages())}};
}

Json ToJson(const v1::StagePlacement& stage) {
  return {{"stage_index", stage.stage_index()},
          {"node_id", stage.node_id()},
          {"host_name", stage.host_name()},
          {"first_layer", stage.first_layer()},
          {"last_layer", LastLayer(stage)},
          {"weight_bytes", stage.weight_bytes()},
          {"kv_bytes", stage.kv_bytes()},
          {"workspace_bytes", stage.workspace_bytes()},
          {"decode_seconds", stage.decode_seconds()},
          {"prefill_seconds", stage.prefill_seconds()},
          {"link_seconds", stage.link_seconds()},
          {"bytes_present", stage.bytes_present()},
          {"bytes_fetched", stage.bytes_fetched()}};
}

Json ToJson(const v1::ReplicaInfo& replica) {
  return {
      {"replica", replica.replica()},        {"state", replica.state()},
      {"failure", replica.failure()},        {"running", replica.running()},
      {"waiting", replica.waiting()},        {"stall", replica.stall()},
      {"stages", ArrayOf(replica.stages())}, {"encoder", replica.has_encoder() ? ToJson(replica.encoder()) : Json()}};
}

Json ToJson(const v1::EncoderInfo& encoder) {
  return {{"path", encoder.path()},
          {"bytes", encoder.bytes()},
          {"parameters", encoder.parameters()},
          {"image_size", encoder.image_size()},
          {"rows", encoder.rows()}};
}

Json ToJson(const v1::ModelInfo& model) {
  return {{"name", model.name()},
          {"content_id", model.content_id()},
          {"architecture", model.architecture()},
          {"quantisation", model.quantisation()},
          {"bytes", model.bytes()},
          {"parameters", model.parameters()},
          {"layers", model.layers()},
          {"hidden", model.hidden()},
          {"context", model.context()},
          {"vocab", model.vocab()},
          {"path", model.path()},
          {"encoder", model.has_encoder() ? ToJson(model.encoder()) : Json()},
          {"replicas", ArrayOf(model.replicas())}};
}

Json ToJson(const v1::PlanReply& plan) {
  return {{"feasible", plan.feasible()},
          {"infeasible_reason", plan.infeasible_reason()},
          {"method", plan.method()},
          {"decode_tokens_per_second", plan.decode_tokens_per_second()},
          {"prefill_tokens_per_second", plan.prefill_tokens_per_second()},
          {"pipeline_tokens_per_second", plan.pipeline_tokens_per_second()},
          {"context", plan.context()},
          {"kv_blocks", plan.kv_blocks()},
          {"stages", ArrayOf(plan.stages())},
          {"encoder", plan.has_encoder() ? ToJson(plan.encoder()) : Json()},
          {"verdicts", ArrayOf(plan.verdicts())}};
}

Json ToJson(const v1::KeyInfo& key) {
  return {{"key_id", key.key_id()},
          {"name", key.name()},
          {"state", key.state()},
          {"models", TextsOf(key.models())},
          {"limits",
           {{"requests_per_minute", key.limits().requests_per_minute()},
            {"tokens_per_minute", key.limits().tokens_per_minute()},
            {"concurrency_max", key.limits().concurrency_max()},
            {"priority_max", std::string(coordinator::PriorityName(key.limits().priority_max()))}}},
          {"created_unix_ms", key.created_unix_ms()},
          {"expires_unix_ms", key.expires_unix_ms()},
          {"revoked_unix_ms", key.revoked_unix_ms()},
          {"last_used_unix_ms", key.last_used_unix_ms()},
          {"running", key.running()}};
}

std::string LayersText(const v1::StagePlacement& stage) {
  return absl::StrCat(stage.first_layer(), "-", LastLayer(stage));
}

std::string LayersText(const v1::StageStatus& stage) {
  if (stage.encoder()) return "encoder";
  return absl::StrCat(stage.first_layer(), "-", LastLayer(stage));
}

std::string EncoderLine(const v1::StagePlacement& encoder) {
  return absl::StrCat("image encoder on ", encoder.host_name(), " ", encoder.node_id().substr(0, 8), ": weights ",
                      FormatBytes(encoder.weight_bytes()), ", workspace ", FormatBytes(encoder.workspace_bytes()),
                      "\n");
}

std::string StageTable(const google::protobuf::RepeatedPtrField<v1::StagePlacement>& stages) {
  Table table({"STAGE", "LAYERS", "NODE", "WEIGHTS", "KV", "WORKSPACE", "DECODE", "PREFILL", "LINK"},
              {0, 3, 4, 5, 6, 7, 8});
  for (const auto& stage : stages) {
    table.AddRow({absl::StrCat(stage.stage_index()), LayersText(stage),
                  absl::StrCat(stage.host_name(), " ", stage.node_id().substr(0, 8)), FormatBytes(stage.weight_bytes()),
                  FormatBytes(stage.kv_bytes()), FormatBytes(stage.workspace_bytes()),
                  FormatSeconds(stage.decode_seconds()), FormatSeconds(stage.prefill_seconds()),
                  FormatSeconds(stage.link_seconds())});
  }
  return table.Render();
}

}  // namespace enigma::cli
