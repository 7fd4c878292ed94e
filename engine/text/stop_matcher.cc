#include "engine/text/stop_matcher.h"

#include <algorithm>
#include <utility>

namespace enigma::engine {

StopMatcher::StopMatcher(std::vector<std::string> stops) : stops_(std::move(stops)) {
  std::erase_if(stops_, [](const std::string& stop) { return stop.empty(); });
}

size_t StopMatcher::HoldBack() const {
  size_t longest = 0;
  for (const std::string& stop : stops_) {
    for (size_t size = std::min(stop.size() - 1, pending_.size()); size > longest; --size) {
      if (pending_.compare(pending_.size() - size, size, stop, 0, size) == 0) longest = size;
    }
  }
  return longest;
}

StopMatcher::Result StopMatcher::Add(std::string_view text) {
  if (stopped_) return {"", true};
  pending_ += text;

  size_t begin = std::string::npos;
  size_t end = std::string::npos;
  for (const std::string& stop : stops_) {
    const size_t found = pending_.find(stop);
    if (found == std::string::npos) continue;
    const size_t found_end = found + stop.size();
    if (end == std::string::npos || found_end < end || (found_end == end && found < begin)) {
      begin = found;
      end = found_end;
    }
  }
  Result result;
  if (end != std::string::npos) {
    stopped_ = true;
    result = {pending_.substr(0, begin), true};
    pending_.clear();
    return result;
  }
  const size_t safe = pending_.size() - HoldBack();
  result.text = pending_.substr(0, safe);
  pending_.erase(0, safe);
  return result;
}

std::string StopMatcher::Finish() { return std::exchange(pending_, ""); }

}  // namespace enigma::engine
