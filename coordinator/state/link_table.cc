#include "coordinator/state/link_table.h"

namespace enigma::coordinator {

void LinkTable::Put(std::string_view from, std::string_view to, Link link, absl::Duration now) {
  absl::MutexLock lock(&mutex_);
  Ends ends(from, to);
  suspects_.erase(ends);
  links_.insert_or_assign(std::move(ends), Measured{link, "", now});
}

void LinkTable::PutBroken(std::string_view from, std::string_view to, std::string why, absl::Duration now) {
  absl::MutexLock lock(&mutex_);
  Ends ends(from, to);
  suspects_.erase(ends);
  links_.insert_or_assign(std::move(ends), Measured{{}, std::move(why), now});
}

std::optional<Link> LinkTable::Find(std::string_view from, std::string_view to, absl::Duration now,
                                    absl::Duration age_max) const {
  absl::MutexLock lock(&mutex_);
  const auto found = links_.find(Ends(from, to));
  if (found == links_.end() || !found->second.broken.empty() || now - found->second.at > age_max) return std::nullopt;
  return found->second.link;
}

std::optional<std::string> LinkTable::FindBroken(std::string_view from, std::string_view to, absl::Duration now,
                                                 absl::Duration age_max) const {
  absl::MutexLock lock(&mutex_);
  const auto found = links_.find(Ends(from, to));
  if (found == links_.end() || found->second.broken.empty() || now - found->second.at > age_max) return std::nullopt;
  return found->second.broken;
}

void LinkTable::Suspect(std::string_view one, std::string_view other) {
  absl::MutexLock lock(&mutex_);
  for (const Ends& ends : {Ends(one, other), Ends(other, one)}) {
    links_.erase(ends);
    suspects_.insert(ends);
  }
}

bool LinkTable::IsSuspect(std::string_view from, std::string_view to) const {
  absl::MutexLock lock(&mutex_);
  return suspects_.contains(Ends(from, to));
}

void LinkTable::Forget(std::string_view node) {
  absl::MutexLock lock(&mutex_);
  const auto touches = [&](const Ends& ends) { return ends.first == node || ends.second == node; };
  std::erase_if(links_, [&](const auto& entry) { return touches(entry.first); });
  std::erase_if(suspects_, touches);
}

}  // namespace enigma::coordinator
