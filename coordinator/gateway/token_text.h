#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "coordinator/state/model_files.h"
#include "engine/text/stop_matcher.h"
#include "engine/text/tokenizer.h"
#include "proto/inference.pb.h"

namespace enigma::coordinator {

// Turns the tokens of one request into the chunks its client gets: whole characters only, nothing of a stop string, and
// nothing that may be the beginning of one before it is known not to be. Not thread-safe.
class TokenText {
 public:
  // `shown`: control tokens that become text like others.
  TokenText(TokenizerPtr tokenizer, std::vector<std::string> stops, bool logprobs, std::vector<int32_t> shown = {})
      : tokenizer_(std::move(tokenizer)),
        detokenizer_(*tokenizer_, /*continuation=*/true),
        stops_(std::move(stops)),
        shown_(std::move(shown)),
        logprobs_(logprobs) {}

  // Adds the token to the chunk. True when a stop string is complete; what follows is then ignored.
  bool Add(const enigma::v1::TokenEvent& event, enigma::v1::GenerateChunk& chunk);
  // The stream ended: what is still held back.
  void Finish(enigma::v1::GenerateChunk& chunk);

 private:
  std::string TextOf(int32_t id);

  const TokenizerPtr tokenizer_;
  engine::Detokenizer detokenizer_;
  engine::StopMatcher stops_;
  const std::vector<int32_t> shown_;
  const bool logprobs_;
  bool stopped_ = false;
};

}  // namespace enigma::coordinator
