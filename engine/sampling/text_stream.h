#pragma once

#include <string>
#include <utility>
#include <vector>

#include "engine/text/stop_matcher.h"
#include "engine/text/tokenizer.h"

namespace enigma::engine {

// Generated ids to text that may be shown: whole characters, nothing of a stop string. One per generation.
class TextStream {
 public:
  TextStream(const Tokenizer& tokenizer, std::vector<std::string> stops)
      : detokenizer_(tokenizer, /*continuation=*/true), matcher_(std::move(stops)) {}

  // The text that became certain with this token.
  std::string Add(TokenId id) {
    StopMatcher::Result result = matcher_.Add(detokenizer_.Add(id));
    stopped_ = stopped_ || result.stopped;
    return std::move(result.text);
  }
  // What was held back, once no token follows.
  std::string Finish() {
    if (stopped_) return "";
    StopMatcher::Result result = matcher_.Add(detokenizer_.Finish());
    stopped_ = result.stopped;
    return stopped_ ? std::move(result.text) : result.text + matcher_.Finish();
  }
  bool stopped() const { return stopped_; }  // a stop string was met

 private:
  Detokenizer detokenizer_;
  StopMatcher matcher_;
  bool stopped_ = false;
};

}  // namespace enigma::engine
