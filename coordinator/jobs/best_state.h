#pragma once

#include <cstdint>
#include <optional>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "base/clock.h"
#include "coordinator/jobs/job_folders.h"

namespace enigma::coordinator {

// Looks for the checkpoint of a job's best state, from which its model is exported. One thread calls.
class BestState {
 public:
  // Clock and folders outlive it. `patience`: so long a state may take to come, once all steps are done.
  BestState(JobFolders& folders, const Clock& clock, uint64_t job, absl::Duration patience)
      : folders_(folders), clock_(clock), job_(job), patience_(patience) {}

  enum class Place {
    kHere,
    kOnItsWay,  // or it waits with a rank for its next attempt
    kLost,
  };
  Place Find(uint64_t step);
  // What Find found here.
  [[nodiscard]] const JobFileInfo& file() const { return found_->file; }
  // Removes all checkpoints that are newer, and gives the step of the one to go on from: what follows comes to the same
  // bits.
  absl::StatusOr<uint64_t> GoBackTo(uint64_t step);

 private:
  JobFolders& folders_;
  const Clock& clock_;
  const uint64_t job_;
  const absl::Duration patience_;
  std::optional<JobFolders::Checkpoint> found_;
  std::optional<absl::Duration> missed_since_;
};

}  // namespace enigma::coordinator
