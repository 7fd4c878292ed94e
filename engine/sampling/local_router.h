#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/model/stage.h"
#include "engine/sampling/label_scorer.h"
#include "engine/spec/router_spec.h"
#include "engine/tensor/thread_pool.h"
#include "engine/text/tokenizer.h"
#include "engine/weights/weight_source.h"

namespace enigma::engine {

// A router's file answering in this process, one text at a time. Not thread-safe.
class LocalRouter {
 public:
  // InvalidArgument where the file is a model but no router. `pool` outlives the router.
  static absl::StatusOr<std::unique_ptr<LocalRouter>> Open(const std::string& path, ThreadPool& pool);

  absl::StatusOr<LabelScores> Classify(std::string_view text);
  // Logits of the labels after a prompt that is tokenised already; of at most context() tokens, one or more.
  absl::StatusOr<std::vector<float>> LabelLogits(std::span<const TokenId> prompt);

  const RouterSpec& spec() const { return spec_; }
  const Tokenizer& tokenizer() const { return *tokenizer_; }
  uint32_t context() const { return stage_->context(); }

 private:
  explicit LocalRouter(RouterSpec spec) : spec_(std::move(spec)), scorer_(spec_) {}

  const RouterSpec spec_;
  const LabelScorer scorer_;
  std::unique_ptr<WeightSource> weights_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<Stage> stage_;
  std::vector<uint32_t> blocks_;
};

}  // namespace enigma::engine
