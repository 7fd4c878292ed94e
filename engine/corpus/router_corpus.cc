#include "engine/corpus/router_corpus.h"

#include <algorithm>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/text/router_prompt.h"

namespace enigma::engine {
namespace {

constexpr uint64_t kTextsBetweenCalls = 256;
constexpr uint32_t kContextMin = 8;

}  // namespace

uint32_t RouterPromptTokens(uint32_t context) { return std::min(context - 1, RouterSpec::kPromptTokensMost); }

absl::StatusOr<PreparedCorpus> PrepareRouterCorpus(const LabelledCorpus& corpus, const Tokenizer& tokenizer,
                                                   const RouterSpec& router, const RouterCorpusOptions& options,
                                                   const CorpusProgress& progress) {
  if (!(options.validation_share >= 0 && options.validation_share < 0.5)) {
    return absl::InvalidArgumentError(
        absl::StrCat("validation_share must be from 0 to below 0.5, not ", options.validation_share));
  }
  if (options.context < kContextMin) {
    return absl::InvalidArgumentError(
        absl::StrCat("context: ", options.context, " tokens are too few for a router, which needs ", kContextMin));
  }
  if (!tokenizer.eos()) return absl::InvalidArgumentError("the vocabulary names no end token; take one that does");
  absl::flat_hash_map<std::string, TokenId> token_of;
  for (size_t i = 0; i < router.labels.size(); ++i) token_of[router.labels[i]] = router.label_tokens[i];
  const std::vector<bool> held_out = HeldOut(corpus.texts, options.validation_share);
  TokenSetBuilder builder(tokenizer);
  for (size_t i = 0; i < corpus.texts.size(); ++i) {
    const LabelledText& text = corpus.texts[i];
    if (progress && i % kTextsBetweenCalls == 0 && !progress(CorpusStage::kTokenising, i, corpus.texts.size())) {
      return absl::CancelledError("the corpus is not wanted any more");
    }
    const auto label = token_of.find(text.label);
    if (label == token_of.end()) {
      return absl::InvalidArgumentError(absl::StrCat("label '", text.label, "' is none of the router's"));
    }
    std::vector<TokenId> ids = RouterPrompt(router, tokenizer, text.text, RouterPromptTokens(options.context));
    std::vector<uint8_t> trained(ids.size(), options.train_on_prompts ? 1 : 0);
    trained[0] = 0;
    ids.insert(ids.end(), {label->second, *tokenizer.eos()});
    trained.insert(trained.end(), {1, 1});
    ENIGMA_RETURN_IF_ERROR(
        builder.Add(held_out[i] ? TokenSet::Part::kValidation : TokenSet::Part::kTraining, ids, trained));
  }
  PreparedCorpus prepared;
  prepared.report = corpus.report;
  ENIGMA_ASSIGN_OR_RETURN(prepared.tokens, builder.Finish());
  prepared.report.training = CorpusPartOf(*prepared.tokens, TokenSet::Part::kTraining);
  prepared.report.validation = CorpusPartOf(*prepared.tokens, TokenSet::Part::kValidation);
  if (prepared.report.validation.documents == 0) {
    prepared.report.warnings.push_back(
        {"no_validation", "no text is kept for validation, so the router's confidence is not calibrated"});
  }
  return prepared;
}

}  // namespace enigma::engine
