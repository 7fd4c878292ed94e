#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>

#include <absl/container/flat_hash_map.h>
#include <absl/status/statusor.h>

#include "engine/sampling/sampler.h"
#include "engine/text/stop_matcher.h"
#include "engine/text/tokenizer.h"
#include "proto/worker.pb.h"
#include "worker/batching/step_plan.h"
#include "worker/pipeline/constraint_shelf.h"

namespace enigma::worker {

// What the last stage adds: chooses each sequence's next token and sees where a sequence ends (end-of-generation token,
// stop string, complete output of a schema, token budget, end of the context), or weighs the labels that a sequence
// asks about, which ends it. What is wrong with one sequence ends that sequence with an event and nothing else. Not
// thread-safe; lives on the stage's compute thread. Tokenizer and shelf must outlive it.
class TokenSampler {
 public:
  TokenSampler(const engine::Tokenizer& tokenizer, ConstraintShelf& constraints, uint32_t vocab, uint32_t context)
      : tokenizer_(tokenizer), constraints_(constraints), vocab_(vocab), context_(context) {}

  // A sequence that cannot run (a parameter out of range, no constraint on the shelf) ends where it is first sampled.
  void Open(const v1::OpenSequence& open);
  void Close(uint64_t sequence);

  // The token at `position` (the one after the run's last row). Fills `event` for the coordinator, with a token or with
  // the labels' probabilities or the error that ends the sequence. FailedPrecondition for a sequence that was never
  // opened.
  absl::StatusOr<SampledToken> Sample(uint64_t sequence, uint32_t position, std::span<const float> logits,
                                      v1::TokenEvent& event);

 private:
  struct Sequence {
    uint32_t epoch = 0;
    absl::Status status;  // why it cannot go on
    uint32_t tokens_left = 0;
    bool ignore_eos = false;
    std::optional<v1::LabelQuestion> labels;  // then nothing below
    std::unique_ptr<engine::Sampler> sampler;
    // Only where stop strings were given.
    std::unique_ptr<engine::Detokenizer> detokenizer;
    std::optional<engine::StopMatcher> stops;
  };
  absl::Status Start(const v1::OpenSequence& open, Sequence& sequence);
  void Choose(Sequence& sequence, uint32_t position, std::span<const float> logits, v1::TokenEvent& event) const;
  static absl::Status WeighLabels(const v1::LabelQuestion& labels, std::span<const float> logits,
                                  v1::TokenEvent& event);
  const char* FinishReason(Sequence& sequence, int32_t id, uint32_t position) const;

  const engine::Tokenizer& tokenizer_;
  ConstraintShelf& constraints_;
  const uint32_t vocab_;  // width of the logits
  const uint32_t context_;
  absl::flat_hash_map<uint64_t, Sequence> sequences_;
};

}  // namespace enigma::worker
