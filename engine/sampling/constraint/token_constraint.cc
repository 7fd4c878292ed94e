#include "engine/sampling/constraint/token_constraint.h"

#include <algorithm>

namespace enigma::engine {

const ShownToken* TokenConstraint::Shown(TokenId id) const {
  const auto found = std::find_if(shown_.begin(), shown_.end(), [id](const ShownToken& one) { return one.id == id; });
  return found == shown_.end() ? nullptr : &*found;
}

std::shared_ptr<const LocalMask> TokenConstraint::MaskOf(uint32_t rule, LocalState state) const {
  const Key key{rule, state};
  {
    absl::MutexLock lock(&mutex_);
    if (const auto found = entries_.find(key); found != entries_.end()) {
      recent_.splice(recent_.begin(), recent_, found->second);
      return found->second->mask;
    }
  }
  auto mask = std::make_shared<const LocalMask>(MakeLocalMask(*grammar_, *trie_, shown_, rule, state));
  absl::MutexLock lock(&mutex_);
  if (const auto found = entries_.find(key); found != entries_.end()) return found->second->mask;
  recent_.push_front({key, mask});
  entries_[key] = recent_.begin();
  bytes_ += mask->memory_bytes();
  while (bytes_ > cache_bytes_max_ && recent_.size() > 1) {
    bytes_ -= recent_.back().mask->memory_bytes();
    entries_.erase(recent_.back().key);
    recent_.pop_back();
  }
  return mask;
}

size_t TokenConstraint::cached_bytes() const {
  absl::MutexLock lock(&mutex_);
  return bytes_;
}

}  // namespace enigma::engine
