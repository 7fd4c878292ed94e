#include "coordinator/store/memory_store.h"

#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"

namespace enigma::coordinator {

absl::StatusOr<std::string> MemoryStore::Get(std::string_view key) const {
  absl::MutexLock lock(&mutex_);
  const auto found = entries_.find(key);
  if (found == entries_.end()) return absl::NotFoundError(absl::StrCat("no record '", ToAbsl(key), "'"));
  return found->second;
}

absl::Status MemoryStore::Apply(const std::vector<Write>& batch) {
  absl::MutexLock lock(&mutex_);
  for (const Write& write : batch) {
    if (write.value.has_value()) {
      entries_[write.key] = *write.value;
    } else {
      entries_.erase(write.key);
    }
  }
  return absl::OkStatus();
}

absl::Status MemoryStore::Scan(std::string_view prefix, const Visitor& visit) const {
  // A copy, so that the visitor runs without the lock and sees one moment.
  std::vector<std::pair<std::string, std::string>> matching;
  {
    absl::MutexLock lock(&mutex_);
    for (auto it = entries_.lower_bound(prefix); it != entries_.end() && it->first.starts_with(prefix); ++it) {
      matching.emplace_back(it->first, it->second);
    }
  }
  for (const auto& [key, value] : matching) ENIGMA_RETURN_IF_ERROR(visit(key, value));
  return absl::OkStatus();
}

}  // namespace enigma::coordinator
