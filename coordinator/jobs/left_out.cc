#include "coordinator/jobs/left_out.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>

namespace enigma::coordinator {

void LeftOut::Trouble(const std::string& node, std::string reason, absl::Duration now) {
  Entry& entry = nodes_[node];
  const absl::Duration pause = options_.first * (int64_t{1} << std::min(entry.times, 20));
  entry.until = now + std::min(pause, options_.most);
  entry.reason = std::move(reason);
  ++entry.times;
}

void LeftOut::Serves(const std::string& node, absl::Duration for_time) {
  if (for_time >= options_.healthy) nodes_.erase(node);
}

absl::Duration LeftOut::Until(const std::string& node) const {
  const auto found = nodes_.find(node);
  return found == nodes_.end() ? absl::ZeroDuration() : found->second.until;
}

std::string LeftOut::Why(absl::Duration now) const {
  std::string why;
  for (const auto& [node, entry] : nodes_) {
    if (now < entry.until) absl::StrAppend(&why, why.empty() ? "" : "; ", entry.reason);
  }
  return why;
}

}  // namespace enigma::coordinator
