#include "worker/training/incoming_streams.h"

#include <algorithm>

#include <absl/strings/str_cat.h>

namespace enigma::worker {

absl::Status IncomingStreams::Add(uint64_t job, uint64_t epoch, std::shared_ptr<RankMesh> mesh) {
  absl::MutexLock lock(&mutex_);
  const auto known = newest_.find(job);
  if (known != newest_.end() && known->second >= epoch) {
    return absl::FailedPreconditionError(
        absl::StrCat("epoch ", epoch, " of job ", job, " begins after epoch ", known->second));
  }
  newest_[job] = epoch;
  open_[{job, epoch}] = std::move(mesh);
  return absl::OkStatus();
}

void IncomingStreams::Remove(uint64_t job, uint64_t epoch) {
  absl::MutexLock lock(&mutex_);
  open_.erase({job, epoch});
}

absl::StatusOr<std::shared_ptr<RankMesh>> IncomingStreams::Find(uint64_t job, uint64_t epoch) const {
  absl::MutexLock lock(&mutex_);
  const auto found = open_.find({job, epoch});
  if (found != open_.end()) return found->second;
  const auto known = newest_.find(job);
  if (known != newest_.end() && known->second >= epoch) {
    return absl::FailedPreconditionError(absl::StrCat("epoch ", epoch, " of job ", job, " is over"));
  }
  return absl::NotFoundError(absl::StrCat("epoch ", epoch, " of job ", job, " has not begun here"));
}

}  // namespace enigma::worker
