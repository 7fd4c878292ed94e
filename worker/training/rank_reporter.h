#pragma once

#include <cstdint>
#include <deque>
#include <optional>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "base/clock.h"
#include "proto/rank.pb.h"

namespace enigma::worker {

// What a rank has to tell the coordinator, whose streams come and go. One reader at a time: who attaches later takes
// the place of the earlier. What is told while nobody reads waits, as far as there is room for it; steps go first.
// Thread-safe.
class RankReporter {
 public:
  explicit RankReporter(const Clock& clock, size_t events_max = 4096)
      : clock_(clock), events_max_(events_max), detached_at_(clock.Monotonic()) {}

  // The rank's thread: where it stands from now on. A standing that is older than an epoch that was accepted meanwhile
  // is not told.
  void Stand(v1::RankStanding standing);
  // Steps are done without a word of the standing.
  void AtStep(uint64_t step);
  void Report(v1::RankEvent event);
  // Told again on every new stream: a failure or an export, of which the newest counts, and validations of the present
  // epoch, which a coordinator that was away must know of to begin the next one alike.
  void ReportLasting(v1::RankEvent event);

  // Others: an epoch was accepted, which is to be known at once, though the rank's thread may be busy yet.
  void Accept(uint64_t epoch);
  void Repeat();  // the standing
  v1::RankStanding standing() const;

  // Becomes the reader: the standing, then what lasts, then what waits. The number is to be shown to Next.
  uint64_t Attach();
  // Does nothing where another reader has taken the place.
  void Detach(uint64_t reader);
  enum class Wait { kEvent, kQuiet, kEnded };
  // The next event; the one before counts as delivered. Ended: closed and empty, or another reader is here.
  Wait Next(uint64_t reader, absl::Duration timeout, v1::RankEvent& event);
  void Close();

  // How long nobody has been reading.
  absl::Duration Unread() const;
  // Some reader has been told that the rank failed.
  bool FailureDelivered() const;

 private:
  struct Item {
    v1::RankEvent event;
    bool lasting = false;
  };
  void Push(Item item) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void PushStanding() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Clock& clock_;
  const size_t events_max_;
  mutable absl::Mutex mutex_;
  v1::RankStanding standing_ ABSL_GUARDED_BY(mutex_);
  uint64_t accepted_ ABSL_GUARDED_BY(mutex_) = 0;  // epoch
  std::deque<Item> events_ ABSL_GUARDED_BY(mutex_);
  std::deque<v1::RankEvent> lasting_ ABSL_GUARDED_BY(mutex_);  // see ReportLasting
  bool handed_out_ ABSL_GUARDED_BY(mutex_) = false;            // the first of events_
  uint64_t readers_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t reader_ ABSL_GUARDED_BY(mutex_) = 0;  // 0: nobody
  absl::Duration detached_at_ ABSL_GUARDED_BY(mutex_);
  bool failure_delivered_ ABSL_GUARDED_BY(mutex_) = false;
  bool closed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace enigma::worker
