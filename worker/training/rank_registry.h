#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <thread>

#include <absl/base/thread_annotations.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "base/clock.h"
#include "proto/rank.pb.h"
#include "worker/training/rank_runner.h"
#include "worker/training/rank_tools.h"

namespace enigma::worker {

// The ranks of this worker, by job. Each has its memory counted from when it begins to prepare. A thread of its own
// ends those whose coordinator stays away, and lets go of those that have ended. Thread-safe.
class RankRegistry {
 public:
  struct Options {
    std::string node_id;
    int threads = 1;  // that a rank computes with
    RankTools tools;
    // Memory that is nobody's yet. Called without locks of this object.
    std::function<uint64_t()> free_bytes;
    absl::Duration look_every = absl::Milliseconds(500);
  };
  explicit RankRegistry(Options options, const Clock& clock = Clock::System());
  ~RankRegistry();

  // The rank of this job that is here, or a new one; one whose failure has been told already gives way to a new one.
  // ResourceExhausted names the bytes needed and free. Shared with streams while they last.
  absl::StatusOr<std::shared_ptr<RankRunner>> Prepare(const v1::PrepareRank& order);
  absl::StatusOr<std::shared_ptr<RankRunner>> Find(uint64_t job) const;
  // Ends the rank, if it is still this one, and waits for its end.
  void Drop(const std::shared_ptr<RankRunner>& rank);
  // All ranks, and none comes any more.
  void Close(const absl::Status& reason);

  size_t size() const;
  struct Memory {
    uint64_t given_bytes = 0;    // to ranks
    uint64_t pending_bytes = 0;  // the part of it that has not been taken from the system yet
  };
  Memory memory() const;

 private:
  absl::StatusOr<std::shared_ptr<RankRunner>> MakeRank(const v1::PrepareRank& order);
  void Watch();
  void Look();
  // Of jobs that have no rank here; `coming` is about to have one.
  void CleanUp(std::optional<uint64_t> coming);

  const Options options_;
  const Clock& clock_;
  absl::Mutex preparing_;  // one Prepare at a time, so that two do not count on the same memory; before mutex_
  mutable absl::Mutex mutex_;
  std::map<uint64_t, std::shared_ptr<RankRunner>> ranks_ ABSL_GUARDED_BY(mutex_);
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
  std::thread watch_;
};

}  // namespace enigma::worker
