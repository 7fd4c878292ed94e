#include "engine/sampling/local_router.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/kv_cache/block_table.h"
#include "engine/text/router_prompt.h"

namespace enigma::engine {

absl::StatusOr<std::unique_ptr<LocalRouter>> LocalRouter::Open(const std::string& path, ThreadPool& pool) {
  ENIGMA_ASSIGN_OR_RETURN(auto weights, OpenGgufWeights(path));
  const GgufFile& head = weights->head();
  ENIGMA_ASSIGN_OR_RETURN(std::optional<RouterSpec> spec, RouterSpecFromGguf(head.metadata()));
  if (!spec) {
    return absl::InvalidArgumentError(
        absl::StrCat(path,
                     " is no router: it has no labels (enigma.router.labels); `enigma train --task router` makes "
                     "one"));
  }
  auto router = std::unique_ptr<LocalRouter>(new LocalRouter(*std::move(spec)));
  ENIGMA_ASSIGN_OR_RETURN(router->tokenizer_, Tokenizer::FromGguf(head.metadata()));
  ENIGMA_ASSIGN_OR_RETURN(const ModelSpec shape, ModelSpecFromGguf(head));
  const uint32_t context = router->spec_.PromptTokensMax(shape.context);
  Stage::Options options;
  options.kv_blocks = BlocksFor(context);
  options.context = context;
  options.kv_type = DefaultKvType(head);
  options.max_rows = context;
  options.max_logit_rows = 1;
  router->weights_ = std::move(weights);
  ENIGMA_ASSIGN_OR_RETURN(router->stage_, Stage::Create(*router->weights_, options, pool));
  router->blocks_.resize(options.kv_blocks);
  std::iota(router->blocks_.begin(), router->blocks_.end(), 0U);
  return router;
}

absl::StatusOr<std::vector<float>> LocalRouter::LabelLogits(std::span<const TokenId> prompt) {
  Batch batch;
  batch.tokens.assign(prompt.begin(), prompt.end());
  batch.runs.push_back({.first = 0, .count = static_cast<uint32_t>(prompt.size()), .blocks = blocks_, .logits = true});
  ENIGMA_ASSIGN_OR_RETURN(const Stage::Output output, stage_->Forward(batch));
  std::vector<float> logits = scorer_.LabelLogits(output.logits);
  if (!std::all_of(logits.begin(), logits.end(), [](float logit) { return std::isfinite(logit); })) {
    return absl::InternalError("the logits of the router's labels are not finite: its weights are damaged");
  }
  return logits;
}

absl::StatusOr<LabelScores> LocalRouter::Classify(std::string_view text) {
  ENIGMA_ASSIGN_OR_RETURN(const std::vector<float> logits,
                          LabelLogits(RouterPrompt(spec_, *tokenizer_, text, context())));
  return ScoreLabels(logits, spec_.temperature);
}

}  // namespace enigma::engine
