#include "engine/sampling/text_scorer.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/kv_cache/block_table.h"
#include "engine/sampling/candidates.h"

namespace enigma::engine {
namespace {

constexpr uint32_t kWindowDefaultMax = 4096;
constexpr uint32_t kRowsMax = 128;  // of a step; each may need a row of logits

// The token that the vocabulary puts before every text, if it does.
std::optional<TokenId> BeginToken(const Tokenizer& tokenizer) {
  const std::vector<TokenId> ids = tokenizer.Encode("", {.add_special = true});
  if (ids.empty() || !tokenizer.bos() || ids.front() != *tokenizer.bos()) return std::nullopt;
  return ids.front();
}

}  // namespace

absl::StatusOr<std::unique_ptr<TextScorer>> TextScorer::Open(const std::string& path, const Options& options) {
  if (options.threads < 1) return absl::InvalidArgumentError("scoring a text: threads must be at least 1");
  auto scorer = std::unique_ptr<TextScorer>(new TextScorer);
  ENIGMA_ASSIGN_OR_RETURN(scorer->weights_, OpenGgufWeights(path));
  const GgufFile& head = scorer->weights_->head();
  ENIGMA_ASSIGN_OR_RETURN(scorer->tokenizer_, Tokenizer::FromGguf(head.metadata()));
  ENIGMA_ASSIGN_OR_RETURN(const ModelSpec spec, ModelSpecFromGguf(head));
  scorer->begin_ = BeginToken(*scorer->tokenizer_);
  scorer->context_ = options.context != 0 ? options.context : std::min(spec.context, kWindowDefaultMax);
  scorer->stride_ = options.stride != 0 ? options.stride : scorer->context_;
  if (scorer->stride_ > scorer->context_) {
    return absl::InvalidArgumentError(absl::StrCat("a stride of ", scorer->stride_,
                                                   " tokens is longer than a window of ", scorer->context_,
                                                   ": tokens between would not be scored"));
  }
  scorer->rows_ = std::min(scorer->context_, kRowsMax);
  scorer->pool_ = std::make_unique<ThreadPool>(options.threads);
  ENIGMA_ASSIGN_OR_RETURN(scorer->stage_, Stage::Create(*scorer->weights_,
                                                        {.first_layer = 0,
                                                         .last_layer = 0,
                                                         .kv_blocks = BlocksFor(scorer->context_),
                                                         .context = scorer->context_,
                                                         .kv_type = DefaultKvType(head),
                                                         .max_rows = scorer->rows_,
                                                         .max_logit_rows = scorer->rows_},
                                                        *scorer->pool_));
  scorer->blocks_.resize(BlocksFor(scorer->context_));
  std::iota(scorer->blocks_.begin(), scorer->blocks_.end(), 0U);
  return scorer;
}

absl::StatusOr<double> TextScorer::ScoreRows(std::span<const TokenId> tokens, uint32_t first,
                                             std::span<const TokenId> predicted) {
  // A run gives the logits of its last row, so rows that predict are runs of one each. The keys and values of all are
  // stored before any of them looks back.
  Batch batch;
  batch.tokens.assign(tokens.begin(), tokens.end());
  const auto read_only = static_cast<uint32_t>(tokens.size() - predicted.size());
  if (read_only > 0) batch.runs.push_back({.first = first, .count = read_only, .blocks = blocks_, .logits = false});
  for (uint32_t i = read_only; i < tokens.size(); ++i) {
    batch.runs.push_back({.first = first + i, .count = 1, .blocks = blocks_, .logits = true});
  }
  ENIGMA_ASSIGN_OR_RETURN(const Stage::Output output, stage_->Forward(batch));
  const size_t vocab = stage_->spec().vocab;
  double nll = 0;
  for (size_t i = 0; i < predicted.size(); ++i) {
    const std::span<const float> logits = output.logits.subspan(i * vocab, vocab);
    nll += LogSumExp(logits) - static_cast<double>(logits[static_cast<size_t>(predicted[i])]);
  }
  return nll;
}

absl::StatusOr<TextScorer::Score> TextScorer::ScoreIds(std::span<const TokenId> ids, const OnProgress& progress) {
  const uint32_t vocab = stage_->spec().vocab;
  for (const TokenId id : ids) {
    if (id < 0 || static_cast<uint32_t>(id) >= vocab) {
      return absl::InvalidArgumentError(absl::StrCat("token id ", id, " is none of the model's ", vocab));
    }
  }
  ENIGMA_ASSIGN_OR_RETURN(const std::vector<ScoreWindow> windows,
                          ScoreWindows(ids.size(), context_, stride_, has_begin()));
  const uint64_t total = ids.size() - windows.front().scored;
  Score score;
  std::vector<TokenId> read;
  for (const ScoreWindow& window : windows) {
    read.clear();
    if (begin_) read.push_back(*begin_);
    read.insert(read.end(), ids.begin() + static_cast<ptrdiff_t>(window.first),
                ids.begin() + static_cast<ptrdiff_t>(window.end - 1));
    // The last `predicting` rows of the window predict, each the id behind it.
    const uint64_t predicting = window.end - window.scored;
    const uint64_t first_predicting = read.size() - predicting;
    for (uint64_t begin = 0; begin < read.size(); begin += rows_) {
      const uint64_t end = std::min<uint64_t>(begin + rows_, read.size());
      const uint64_t from = std::max(begin, first_predicting);
      const uint64_t count = end > from ? end - from : 0;
      const std::span<const TokenId> predicted =
          count == 0 ? std::span<const TokenId>() : ids.subspan(window.scored + (from - first_predicting), count);
      ENIGMA_ASSIGN_OR_RETURN(const double nll, ScoreRows(std::span(read).subspan(begin, end - begin),
                                                          static_cast<uint32_t>(begin), predicted));
      score.nll += nll;
      score.scored += count;
      if (progress) progress(score.scored, total);
    }
  }
  score.windows = windows.size();
  return score;
}

}  // namespace enigma::engine
