#include "coordinator/state/link_table.h"

namespace enigma::coordinator {

void LinkTable::Put(std::string_view from, std::string_view to, Link link, absl::Duration now) {
  absl::MutexLock lock(&mutex_);
  links_[{std::string(from), std::string(to)}] = {link, now};
}

std::optional<Link> LinkTable::Find(std::string_view from, std::string_view to, absl::Duration now,
                                    absl::Duration age_max) const {
  absl::MutexLock lock(&mutex_);
  const auto found = links_.find({std::string(from), std::string(to)});
  if (found == links_.end() || now - found->second.at > age_max) return std::nullopt;
  return found->second.link;
}

void LinkTable::Forget(std::string_view node) {
  absl::MutexLock lock(&mutex_);
  std::erase_if(links_, [&](const auto& entry) { return entry.first.first == node || entry.first.second == node; });
}

}  // namespace enigma::coordinator
