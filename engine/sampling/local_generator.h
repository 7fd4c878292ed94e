#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "base/clock.h"
#include "engine/model/stage.h"
#include "engine/spec/sampling_params.h"
#include "engine/tensor/thread_pool.h"
#include "engine/text/tokenizer.h"
#include "engine/weights/weight_source.h"

namespace enigma::engine {

// A model file answering in this process, one prompt at a time. Not thread-safe.
class LocalGenerator {
 public:
  struct Options {
    int threads = 1;
    uint32_t context = 0;          // longest prompt and answer together, in tokens; 0: the model's own, at most 4,096
    uint32_t prefill_chunk = 512;  // prompt tokens per step; changes no bit of the result
    std::optional<KvType> kv_type = {};  // empty: DefaultKvType
    const Clock* clock = &Clock::System();
  };
  static absl::StatusOr<std::unique_ptr<LocalGenerator>> Open(const std::string& path, const Options& options);

  struct Timing {
    absl::Duration prefill;  // until the first token's logits
    absl::Duration decode;   // the steps after it
  };
  struct Result {
    std::vector<TokenId> ids;   // generated, the end-of-generation token included if there was one
    std::string text;           // ends before a stop string or an end-of-generation token
    std::string finish_reason;  // "stop" (end of generation or stop string), "length" (budget or context), "cancelled"
    std::vector<TokenId> prompt_ids;
    Timing timing;
  };
  // Receives pieces of complete UTF-8 as they become certain; false ends the generation.
  using OnText = std::function<bool(std::string_view)>;

  // InvalidArgument when the prompt is empty, names unknown tokens, or leaves no room for one token in the context. A
  // budget that does not fit is cut at the context (finish_reason "length").
  // `given`: what stands where the prompt says kGivenRow, a picture's prefix, [such ids, hidden].
  absl::StatusOr<Result> Generate(std::vector<TokenId> prompt_ids, const SamplingParams& params, const OnText& on_text,
                                  std::span<const float> given = {});

  const Tokenizer& tokenizer() const { return *tokenizer_; }
  const GgufMetadata& metadata() const { return weights_->head().metadata(); }
  Stage& stage() { return *stage_; }

 private:
  LocalGenerator() = default;
  // Runs `tokens` as the sequence's next ones; logits of the last, if asked for.
  absl::StatusOr<std::span<const float>> Step(std::span<const TokenId> tokens, std::span<const float> given,
                                              uint32_t first, bool logits);
  absl::StatusOr<std::span<const float>> Prefill(const std::vector<TokenId>& prompt, std::span<const float> given);

  Options options_;
  std::unique_ptr<WeightSource> weights_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<ThreadPool> pool_;  // outlives the stage
  std::unique_ptr<Stage> stage_;
  std::vector<uint32_t> blocks_;  // the one sequence's: all there are
};

}  // namespace enigma::engine
