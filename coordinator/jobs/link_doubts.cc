#include "coordinator/jobs/link_doubts.h"

#include <algorithm>

namespace enigma::coordinator {

void LinkDoubts::Add(const std::vector<Rift>& broken) {
  for (const Rift& link : broken) {
    const bool known =
        std::any_of(pairs_.begin(), pairs_.end(), [&](const Rift& pair) { return SamePair(pair, link); });
    if (!known) pairs_.push_back(link);
  }
}

void LinkDoubts::Serve(const std::vector<std::string>& members, absl::Duration for_time) {
  if (for_time < healthy_) return;
  const auto is_member = [&](const std::string& node) {
    return std::find(members.begin(), members.end(), node) != members.end();
  };
  std::erase_if(pairs_, [&](const Rift& pair) { return is_member(pair.node) && is_member(pair.peer); });
}

}  // namespace enigma::coordinator
