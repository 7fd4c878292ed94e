#include "coordinator/gateway/embed_inputs.h"

#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"

namespace enigma::coordinator {
namespace {

absl::StatusOr<std::vector<engine::TokenId>> IdsOf(const enigma::v1::EmbedInput& input, size_t index,
                                                   const ServedModel& served, const engine::Tokenizer& tokenizer) {
  if (!input.has_ids()) {
    ENIGMA_RETURN_IF_ERROR(CheckTextBytes(absl::StrCat("input[", index, "]"), input.text(), served, tokenizer));
    return tokenizer.Encode(input.text(), {.add_special = true, .parse_special = false});
  }
  ENIGMA_RETURN_IF_ERROR(
      CheckIds(absl::StrCat("input[", index, "]"), input.ids().ids(), served.model->vocab, served.model->name));
  return std::vector<engine::TokenId>(input.ids().ids().begin(), input.ids().ids().end());
}

}  // namespace

absl::Status CheckEmbedRequest(const enigma::v1::EmbedRequest& request) {
  const auto inputs = static_cast<size_t>(request.input_size());
  if (inputs == 0) return absl::InvalidArgumentError("input: there is none; give at least one text");
  if (inputs > kEmbedInputsMost) {
    return absl::InvalidArgumentError(
        absl::StrCat("input: ", inputs, " inputs at once; at most ", kEmbedInputsMost, " are taken"));
  }
  for (int i = 0; i < request.input_size(); ++i) {
    const enigma::v1::EmbedInput& input = request.input(i);
    if (input.has_ids() ? input.ids().ids().empty() : input.text().empty()) {
      return absl::InvalidArgumentError(absl::StrCat("input[", i, "]: it is empty"));
    }
  }
  if (!enigma::v1::Pooling_IsValid(request.pooling())) {
    return absl::InvalidArgumentError(
        absl::StrCat("pooling: ", static_cast<int>(request.pooling()), " is none of mean and last"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<enigma::v1::OpenSequence>> MakeEmbedSequences(const enigma::v1::EmbedRequest& request,
                                                                         const ServedModel& served,
                                                                         const engine::Tokenizer& tokenizer,
                                                                         const std::function<bool()>& wanted) {
  const uint32_t width = served.model->hidden;
  if (request.dimensions() > width) {
    return absl::InvalidArgumentError(absl::StrCat("dimensions: ", request.dimensions(), " are asked for, and '",
                                                   served.model->name, "' has ", width));
  }
  const uint32_t dimensions = request.dimensions() == 0 ? width : request.dimensions();
  if (uint64_t numbers = uint64_t{dimensions} * static_cast<uint64_t>(request.input_size());
      numbers > kEmbedNumbersMost) {
    return absl::InvalidArgumentError(absl::StrCat("input: ", request.input_size(), " vectors of ", dimensions,
                                                   " numbers are more than the ", kEmbedNumbersMost,
                                                   " that an answer holds; ask for fewer at a time"));
  }
  uint64_t tokens = 0;
  std::vector<enigma::v1::OpenSequence> sequences;
  for (const enigma::v1::EmbedInput& input : request.input()) {
    if (!wanted()) return absl::CancelledError("the client went away");
    const size_t index = sequences.size();
    ENIGMA_ASSIGN_OR_RETURN(const std::vector<engine::TokenId> ids, IdsOf(input, index, served, tokenizer));
    if (ids.size() > served.context) {
      return absl::InvalidArgumentError(absl::StrCat("input[", index, "]: ", ids.size(), " tokens are too long for '",
                                                     served.model->name, "', which holds ", served.context,
                                                     "; shorten it or load with a larger --context"));
    }
    tokens += ids.size();
    if (tokens > kEmbedTokensMost) {
      return absl::InvalidArgumentError(absl::StrCat("input: the first ", index + 1, " of ", request.input_size(),
                                                     " inputs have ", tokens, " tokens together; one request may have ",
                                                     kEmbedTokensMost));
    }
    enigma::v1::OpenSequence& open = sequences.emplace_back();
    open.mutable_prompt()->Assign(ids.begin(), ids.end());
    open.set_pooling(request.pooling() == enigma::v1::POOLING_NONE ? enigma::v1::POOLING_MEAN : request.pooling());
  }
  return sequences;
}

}  // namespace enigma::coordinator
