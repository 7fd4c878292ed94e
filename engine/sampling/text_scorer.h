#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/model/stage.h"
#include "engine/sampling/score_windows.h"
#include "engine/tensor/thread_pool.h"
#include "engine/text/tokenizer.h"
#include "engine/weights/weight_source.h"

namespace enigma::engine {

// How likely a text is to a model file, in this process. The arithmetic is that of serving, so the figures are those of
// the model that would answer, and the same bits on every machine. Not thread-safe.
class TextScorer {
 public:
  struct Options {
    int threads = 1;
    uint32_t context = 0;  // tokens of a window; 0: the model's own, at most 4,096
    uint32_t stride = 0;   // newly scored ids of a window; 0: all of it, so that windows do not overlap
  };
  static absl::StatusOr<std::unique_ptr<TextScorer>> Open(const std::string& path, const Options& options);

  struct Score {
    double nll = 0;       // sum over the scored ids of -ln(probability)
    uint64_t scored = 0;  // ids
    uint64_t windows = 0;
  };
  // Called after every step, with the ids scored so far and those there are to score.
  using OnProgress = std::function<void(uint64_t scored, uint64_t total)>;

  // Of a text's ids, tokenised without special tokens: each window opens with the begin token where the vocabulary asks
  // for one (has_begin), else the first id is not scored. InvalidArgument for a text with nothing to score and for ids
  // that are none of the vocabulary's.
  absl::StatusOr<Score> ScoreIds(std::span<const TokenId> ids, const OnProgress& progress);

  const Tokenizer& tokenizer() const { return *tokenizer_; }
  bool has_begin() const { return begin_.has_value(); }
  uint32_t context() const { return context_; }
  uint32_t stride() const { return stride_; }

 private:
  TextScorer() = default;
  // What a step read and what it is to predict.
  absl::StatusOr<double> ScoreRows(std::span<const TokenId> tokens, uint32_t first, std::span<const TokenId> predicted);

  uint32_t context_ = 0;
  uint32_t stride_ = 0;
  uint32_t rows_ = 0;  // of a step
  std::unique_ptr<WeightSource> weights_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::optional<TokenId> begin_;
  std::unique_ptr<ThreadPool> pool_;  // outlives the stage
  std::unique_ptr<Stage> stage_;
  std::vector<uint32_t> blocks_;
};

}  // namespace enigma::engine
