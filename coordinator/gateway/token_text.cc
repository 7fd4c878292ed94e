#include "coordinator/gateway/token_text.h"

#include <algorithm>

namespace enigma::coordinator {

std::string TokenText::TextOf(int32_t id) {
  if (std::find(shown_.begin(), shown_.end(), id) == shown_.end()) return detokenizer_.Add(id);
  return detokenizer_.Finish() + tokenizer_->TokenBytes(id, /*render_special=*/true);
}

bool TokenText::Add(const enigma::v1::TokenEvent& event, enigma::v1::GenerateChunk& chunk) {
  if (stopped_ || !event.has_token()) return stopped_;
  chunk.add_ids(event.id());
  if (logprobs_) {
    auto* logprob = chunk.add_logprobs();
    logprob->set_id(event.id());
    logprob->set_logprob(event.logprob());
    *chunk.add_alternatives()->mutable_top() = event.top();
  }
  if (event.end_token()) return false;  // an id like others, but never text
  const engine::StopMatcher::Result matched = stops_.Add(TextOf(event.id()));
  chunk.mutable_text()->append(matched.text);
  stopped_ = matched.stopped;
  return stopped_;
}

void TokenText::Finish(enigma::v1::GenerateChunk& chunk) {
  if (stopped_) return;
  const engine::StopMatcher::Result matched = stops_.Add(detokenizer_.Finish());
  chunk.mutable_text()->append(matched.text);
  if (!matched.stopped) chunk.mutable_text()->append(stops_.Finish());
}

}  // namespace enigma::coordinator
