#include "coordinator/jobs/best_state.h"

#include <algorithm>

#include <absl/status/status.h>

#include "base/status_macros.h"

namespace enigma::coordinator {
namespace {

// Nobody sends a damaged one again; but the last step's may be on its way, and would be the newest again.
constexpr absl::Duration kSettle = absl::Seconds(1);

}  // namespace

BestState::Place BestState::Find(uint64_t step) {
  if (found_ && found_->step == step) return Place::kHere;
  const absl::StatusOr<JobFolders::Checkpoint> found = folders_.CheckpointOf(job_, step);
  if (found.ok()) {
    found_ = *found;
    return Place::kHere;
  }
  const absl::Duration now = clock_.Monotonic();
  const auto folder = folders_.Checkpoints(job_);
  if (!missed_since_ || (folder.ok() && (*folder)->writing())) missed_since_ = now;
  const absl::Duration patience = absl::IsDataLoss(found.status()) ? std::min(kSettle, patience_) : patience_;
  return now - *missed_since_ > patience ? Place::kLost : Place::kOnItsWay;
}

absl::StatusOr<uint64_t> BestState::GoBackTo(uint64_t step) {
  missed_since_.reset();
  ENIGMA_ASSIGN_OR_RETURN(const auto folder, folders_.Checkpoints(job_));
  ENIGMA_RETURN_IF_ERROR(folder->RemoveAfter(step));
  ENIGMA_ASSIGN_OR_RETURN(const JobFolders::Checkpoint left, folders_.NewestCheckpoint(job_));
  return left.step;
}

}  // namespace enigma::coordinator
