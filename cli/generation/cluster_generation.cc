#include "cli/generation/cluster_generation.h"

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/utf8.h"

namespace enigma::cli {

namespace {

v1::SamplingParams ToProto(const engine::SamplingParams& params) {
  v1::SamplingParams proto;
  proto.set_temperature(params.temperature);
  proto.set_top_k(params.top_k);
  proto.set_top_p(params.top_p);
  proto.set_min_p(params.min_p);
  proto.set_repetition_penalty(params.repetition_penalty);
  proto.set_frequency_penalty(params.frequency_penalty);
  proto.set_presence_penalty(params.presence_penalty);
  proto.set_seed(params.seed);
  for (const auto& [id, value] : params.logit_bias) {
    v1::LogitBias* bias = proto.add_logit_bias();
    bias->set_id(id);
    bias->set_value(value);
  }
  proto.set_max_tokens(params.max_tokens);
  for (const std::string& stop : params.stop) proto.add_stop(stop);
  proto.set_ignore_eos(params.ignore_eos);
  proto.set_top_logprobs(params.top_logprobs);
  return proto;
}

v1::GenerateRequest ToProto(const std::string& model, const GenerationRequest& request) {
  v1::GenerateRequest proto;
  proto.set_model(model);
  for (const ChatTurn& turn : request.chat) {
    v1::ChatMessage* message = proto.mutable_chat()->add_messages();
    message->set_role(turn.role);
    message->set_content(turn.text);
  }
  if (!request.chat.empty()) {
    // The messages are the prompt.
  } else if (request.prompt_ids.empty()) {
    proto.set_prompt(request.prompt);
  } else {
    for (const engine::TokenId id : request.prompt_ids) proto.mutable_prompt_ids()->add_ids(id);
  }
  for (const std::string& picture : request.pictures) proto.add_pictures(picture);
  *proto.mutable_sampling() = ToProto(request.sampling);
  if (request.json_schema) proto.mutable_sampling()->set_json_schema(*request.json_schema);
  proto.set_parse_special(request.parse_special);
  return proto;
}

// The API carries text as UTF-8; other bytes can be given as ids.
absl::Status CheckUtf8(const std::string& text) {
  const size_t valid = ValidUtf8Prefix(text);
  if (valid == text.size()) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the prompt is not UTF-8 at byte ", valid, "; pass such bytes as token ids (--prompt-ids)"));
}

void Add(const v1::GenerateChunk& chunk, GenerationResult& result) {
  result.text += chunk.text();
  result.ids.insert(result.ids.end(), chunk.ids().begin(), chunk.ids().end());
  if (!chunk.prompt_ids().empty()) result.prompt_ids.assign(chunk.prompt_ids().begin(), chunk.prompt_ids().end());
  if (!chunk.model().empty()) result.model = chunk.model();
  if (!chunk.nodes().empty()) result.nodes.assign(chunk.nodes().begin(), chunk.nodes().end());
  if (chunk.finish_reason().empty()) return;
  result.finish_reason = chunk.finish_reason();
  result.contract = chunk.contract();
  result.timing = {.queue_seconds = chunk.queue_seconds(),
                   .first_token_seconds = chunk.first_token_seconds(),
                   .total_seconds = chunk.total_seconds()};
}

// What the answer's metadata say; once it has begun.
GenerationRoute RouteOf(const grpc::ClientContext& context) {
  const auto& metadata = context.GetServerInitialMetadata();
  const auto value = [&metadata](const char* name) {
    const auto found = metadata.find(name);
    return found == metadata.end() ? std::string() : std::string(found->second.data(), found->second.size());
  };
  return {value("x-enigma-route-method"), value("x-enigma-intent"), value("x-enigma-confidence")};
}

}  // namespace

absl::StatusOr<GenerationResult> GenerateOnCluster(ClusterClient& client, const std::string& model,
                                                   const GenerationRequest& request, const TextSink& sink) {
  ENIGMA_RETURN_IF_ERROR(CheckUtf8(request.prompt));
  for (const ChatTurn& turn : request.chat) ENIGMA_RETURN_IF_ERROR(CheckUtf8(turn.text));
  grpc::ClientContext context;
  const auto reader = client.inference().Generate(&context, ToProto(model, request));
  GenerationResult result;
  v1::GenerateChunk chunk;
  bool wanted = true;
  while (reader->Read(&chunk)) {
    if (result.route.method.empty()) result.route = RouteOf(context);
    wanted = wanted && (chunk.text().empty() || sink(chunk.text()));
    if (!wanted) context.TryCancel();
    Add(chunk, result);
  }
  const grpc::Status finished = reader->Finish();
  if (!wanted) return absl::CancelledError("the answer was not wanted to its end");
  ENIGMA_RETURN_IF_ERROR(client.Explain(finished));
  if (result.finish_reason.empty()) return absl::DataLossError("the answer ended without saying why");
  return result;
}

absl::StatusOr<GenerationResult> ClusterModel::Generate(const GenerationRequest& request, const TextSink& sink) {
  return GenerateOnCluster(*client_, name_, request, sink);
}

absl::StatusOr<bool> ClusterModel::HasChatTemplate() {
  v1::ListModelsReply reply;
  ENIGMA_RETURN_IF_ERROR(client_->Explain(client_->inference().ListModels(QuickCall().get(), {}, &reply)));
  for (const v1::ModelCard& model : reply.models()) {
    if (model.name() == name_) return model.has_chat_template();
  }
  return true;
}

}  // namespace enigma::cli
