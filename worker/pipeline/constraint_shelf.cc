#include "worker/pipeline/constraint_shelf.h"

#include <utility>

#include "base/status_macros.h"

namespace enigma::worker {

absl::Status ConstraintShelf::Put(uint64_t sequence, std::string_view schema) {
  std::shared_ptr<const engine::TokenConstraint> constraint;
  {
    absl::MutexLock lock(&compiling_);
    ENIGMA_ASSIGN_OR_RETURN(constraint, cache_.Get(schema));
  }
  absl::MutexLock lock(&mutex_);
  if (waiting_.insert_or_assign(sequence, std::move(constraint)).second) order_.push_back(sequence);
  while (order_.size() > kWaitingMax) {
    waiting_.erase(order_.front());
    order_.pop_front();
  }
  return absl::OkStatus();
}

std::shared_ptr<const engine::TokenConstraint> ConstraintShelf::Take(uint64_t sequence) {
  absl::MutexLock lock(&mutex_);
  const auto found = waiting_.find(sequence);
  if (found == waiting_.end()) return nullptr;
  std::shared_ptr<const engine::TokenConstraint> constraint = std::move(found->second);
  waiting_.erase(found);
  std::erase(order_, sequence);
  return constraint;
}

}  // namespace enigma::worker
