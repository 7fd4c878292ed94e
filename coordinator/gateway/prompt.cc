#include "coordinator/gateway/prompt.h"

#include <algorithm>
#include <vector>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "coordinator/gateway/generation_metrics.h"
#include "coordinator/gateway/sampling_check.h"
#include "engine/spec/sampling_params.h"
#include "engine/text/given_row.h"
#include "engine/text/picture_prompt.h"

namespace enigma::coordinator {
namespace {

constexpr uint32_t kKvBlockTokens = 32;
constexpr size_t kCharacterBytesMost = 4;  // an unknown token stands for one

// Places for the rows behind the begin token, where the prompt begins with one.
std::vector<engine::TokenId> WithRows(std::vector<engine::TokenId> ids, const engine::Tokenizer& tokenizer,
                                      size_t rows) {
  const bool begins = !ids.empty() && tokenizer.bos() == ids.front();
  ids.insert(ids.begin() + (begins ? 1 : 0), rows, engine::kGivenRow);
  return ids;
}

absl::StatusOr<std::vector<engine::TokenId>> PromptIds(const enigma::v1::GenerateRequest& request,
                                                       const ServedModel& served, const engine::Tokenizer& tokenizer,
                                                       size_t rows) {
  if (request.has_prompt_ids()) {
    const auto& ids = request.prompt_ids().ids();
    ENIGMA_RETURN_IF_ERROR(CheckIds("prompt", ids, served.model->vocab, served.model->name));
    return WithRows({ids.begin(), ids.end()}, tokenizer, rows);
  }
  ENIGMA_RETURN_IF_ERROR(CheckTextBytes("prompt", request.prompt(), served, tokenizer));
  // As it is without a cluster, and in training.
  if (rows > 0 && !request.has_specials()) {
    return engine::PicturePrompt(tokenizer, rows, request.prompt(), request.parse_special());
  }
  return WithRows(tokenizer.Encode(request.prompt(),
                                   {.add_special = !request.has_specials(), .parse_special = request.parse_special()}),
                  tokenizer, rows);
}

}  // namespace

absl::StatusOr<ServedModel> FindServed(const ControlPlane& plane, std::string_view name) {
  if (name.empty()) return absl::InvalidArgumentError("model: no model is named");
  ServedModel served;
  ENIGMA_ASSIGN_OR_RETURN(served.model, plane.models.Find(name));
  std::string reason;
  for (const Replica& replica : plane.replicas.OfModel(name)) {
    if (replica.state == ReplicaState::kReady) {
      const uint32_t room = std::min(replica.context, replica.kv_blocks * kKvBlockTokens);
      served.context = served.context == 0 ? room : std::min(served.context, room);
    } else if (replica.state == ReplicaState::kLoading) {
      reason = "it is being loaded; try again in a moment";
    } else {
      reason = replica.failure;
    }
  }
  if (served.context > 0) return served;
  for (const WantedPlacement& wanted : plane.wanted.List()) {
    if (wanted.model == name && reason.empty()) reason = wanted.state_reason;
  }
  if (reason.empty()) {
    return absl::FailedPreconditionError(
        absl::StrCat("'", ToAbsl(name), "' is not loaded: `enigma load ", ToAbsl(name), "`"));
  }
  return absl::FailedPreconditionError(absl::StrCat("'", ToAbsl(name), "' is not in service: ", reason,
                                                    " (see `enigma models`; `enigma load ", ToAbsl(name),
                                                    "` places it anew)"));
}

absl::Status CheckRoom(const ControlPlane& plane, const std::string& model, enigma::v1::Priority priority) {
  absl::Status room = plane.dispatcher.Admits(model, priority);
  if (absl::IsResourceExhausted(room)) GenerationMetrics::RejectionsOf(plane.metrics, model).Increment();
  return room;
}

absl::Status CheckIds(std::string_view field, const google::protobuf::RepeatedField<int32_t>& ids, uint32_t vocab,
                      std::string_view model) {
  for (const int32_t id : ids) {
    if (id < 0 || static_cast<uint32_t>(id) >= vocab) {
      return absl::InvalidArgumentError(absl::StrCat(ToAbsl(field), ": ", id, " is not a token of '", ToAbsl(model),
                                                     "', whose vocabulary ends at ", vocab - 1));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckTextBytes(std::string_view field, std::string_view text, const ServedModel& served,
                            const engine::Tokenizer& tokenizer) {
  size_t longest = kCharacterBytesMost;
  if (text.size() / longest <= served.context) return absl::OkStatus();
  for (uint32_t id = 0; id < tokenizer.vocab_size(); ++id) {
    longest = std::max(longest, tokenizer.TokenBytes(static_cast<engine::TokenId>(id), true).size());
  }
  if (text.size() / longest <= served.context) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(ToAbsl(field), ": ", text.size(), " bytes are too long for '",
                                                 served.model->name, "', which holds ", served.context,
                                                 " tokens of at most ", longest, " bytes each; shorten it"));
}

absl::StatusOr<enigma::v1::OpenSequence> MakeSequence(const enigma::v1::GenerateRequest& request,
                                                      const ServedModel& served, const engine::Tokenizer& tokenizer,
                                                      size_t pictures) {
  ENIGMA_RETURN_IF_ERROR(CheckSampling(request.sampling(), served.model->vocab));
  const size_t rows = pictures == 0 ? 0 : pictures * served.model->encoder->rows;
  ENIGMA_ASSIGN_OR_RETURN(const std::vector<engine::TokenId> ids, PromptIds(request, served, tokenizer, rows));
  if (ids.empty()) return absl::InvalidArgumentError("prompt: it is empty, and the model asks for no BOS token");
  if (ids.size() >= served.context) {
    return absl::InvalidArgumentError(absl::StrCat(
        "prompt: ", ids.size(), rows > 0 ? absl::StrCat(" tokens and rows of images (", rows, ")") : " tokens",
        " are too long for '", served.model->name, "', which holds ", served.context,
        ", one of them for an answer; shorten the prompt or load with a larger --context"));
  }
  enigma::v1::OpenSequence open;
  open.mutable_prompt()->Assign(ids.begin(), ids.end());
  *open.mutable_sampling() = request.sampling();
  open.set_choice(request.choice());
  const uint32_t asked =
      request.sampling().has_max_tokens() ? request.sampling().max_tokens() : engine::SamplingParams{}.max_tokens;
  open.mutable_sampling()->set_max_tokens(std::min(asked, served.context - static_cast<uint32_t>(ids.size())));
  return open;
}

}  // namespace enigma::coordinator
