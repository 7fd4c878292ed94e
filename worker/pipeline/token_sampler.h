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

namespace enigma::worker {

// What the last stage adds: chooses each sequence's next token and sees where a sequence ends (end-of-generation token,
// stop string, token budget, end of the context). Not thread-safe; lives on the stage's compute thread. The tokenizer
// must outlive it.
class TokenSampler {
 public:
  TokenSampler(const engine::Tokenizer& tokenizer, uint32_t vocab, uint32_t context)
      : tokenizer_(tokenizer), vocab_(vocab), context_(context) {}

  // InvalidArgument names the parameter out of range.
  absl::Status Open(const v1::OpenSequence& open);
  void Close(uint64_t sequence) { sequences_.erase(sequence); }

  // The token at `position` (the one after the run's last row). Fills `event` for the coordinator.
  absl::StatusOr<SampledToken> Sample(uint64_t sequence, uint32_t position, std::span<const float> logits,
                                      v1::TokenEvent& event);

 private:
  struct Sequence {
    uint32_t epoch = 0;
    uint32_t tokens_left = 0;
    bool ignore_eos = false;
    std::unique_ptr<engine::Sampler> sampler;
    // Only where stop strings were given.
    std::unique_ptr<engine::Detokenizer> detokenizer;
    std::optional<engine::StopMatcher> stops;
  };
  const char* FinishReason(Sequence& sequence, int32_t id, uint32_t position) const;

  const engine::Tokenizer& tokenizer_;
  const uint32_t vocab_;  // width of the logits
  const uint32_t context_;
  absl::flat_hash_map<uint64_t, Sequence> sequences_;
};

}  // namespace enigma::worker
