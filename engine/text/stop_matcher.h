#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace enigma::engine {

// Watches a stream of text for stop strings and holds back what may be the beginning of one. The stop string that is
// complete first ends the text; of several complete at once, the longest. So it does not matter how the text is cut
// into calls. Not thread-safe.
class StopMatcher {
 public:
  explicit StopMatcher(std::vector<std::string> stops);  // empty strings are ignored
  struct Result {
    std::string text;      // safe to show now
    bool stopped = false;  // a stop string was found; `text` ends before it, and later calls return nothing
  };
  Result Add(std::string_view text);
  std::string Finish();  // the held-back rest, when the stream ended otherwise

 private:
  size_t HoldBack() const;  // how many bytes at the end of `pending_` may begin a stop string

  std::vector<std::string> stops_;
  std::string pending_;
  bool stopped_ = false;
};

}  // namespace enigma::engine
