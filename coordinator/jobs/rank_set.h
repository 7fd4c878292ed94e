#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "coordinator/jobs/epoch_policy.h"
#include "coordinator/jobs/rank_stream.h"
#include "coordinator/operations/control_plane.h"

namespace enigma::coordinator {

// The ranks of one job as their streams tell of them: where each stands, and what each said besides, in order. One
// thread calls; the streams' own threads fill it.
class RankSet {
 public:
  // What a rank is told first; called on streams' threads.
  using MakePreparation = std::function<enigma::v1::PrepareRank(const std::string& node_id)>;
  struct Event {
    std::string node;
    enigma::v1::RankEvent event;  // no standing
    bool refused = false;         // it failed before it stood anywhere: its worker makes no such rank
  };

  RankSet(ControlPlane& plane, MakePreparation prepare) : plane_(plane), prepare_(std::move(prepare)) {}
  ~RankSet();  // closes the streams; the ranks go on

  void Open(const std::string& node_id);
  // Forgets the rank, which goes on. As for LetGo, it can be opened again once its stream has ended.
  void Close(const std::string& node_id);
  // Forgets the rank, and lets it go with this order; its stream is ended after `patience` at the latest.
  void LetGo(const std::string& node_id, const enigma::v1::RankOrder& order, absl::Duration patience);
  // Whether streams of ranks that were let go have yet to end.
  [[nodiscard]] bool AreLeaving() const { return !leaving_.empty(); }
  [[nodiscard]] bool IsOpen(const std::string& node_id) const { return ranks_.contains(node_id); }
  [[nodiscard]] std::vector<std::string> Nodes() const;  // open ones
  // Those too whose streams have yet to end.
  [[nodiscard]] std::set<std::string> NodesWithStreams() const;
  // False: its stream is not up.
  bool Send(const std::string& node_id, const enigma::v1::RankOrder& order);
  // Sends an order that counts once: not again on the stream on which it was sent with the same `key` before.
  bool SendOnce(const std::string& node_id, const std::string& key, const enigma::v1::RankOrder& order);

  // Each rank with what its node and its stream say, and the events that came before that.
  std::vector<RankView> Look(std::vector<Event>* events);
  // Whether a rank is there with a state of that step or a later one. Thread-safe.
  [[nodiscard]] bool HasState(uint64_t step) const;
  // Why streams are not up, in one line; empty: all are.
  [[nodiscard]] std::string Troubles() const;
  // Bytes that ranks have fetched, and those there are to fetch.
  [[nodiscard]] std::pair<uint64_t, uint64_t> Fetched() const;

  // Waits until something changes, `timeout` at most.
  void Await(absl::Duration timeout);
  // Ends the wait. Thread-safe.
  void Wake();

 private:
  struct Told {
    bool connected = false;
    absl::Duration changed_at;
    absl::Duration stands_since;
    enigma::v1::RankStanding standing;
    enigma::v1::PreparationProgress fetched;
    std::string trouble;  // why it is not connected
  };
  struct Rank {
    std::unique_ptr<RankStream> stream;
    std::map<std::string, absl::Duration> sent_once;  // by key: when the stream came up on which it was sent
  };
  struct Leaving {
    std::unique_ptr<RankStream> stream;
    absl::Duration until;
  };
  // Null: it was not open.
  std::unique_ptr<RankStream> Forget(const std::string& node_id);
  void OnEvent(const std::string& node_id, const enigma::v1::RankEvent& event);
  void OnLost(const std::string& node_id, const absl::Status& why);

  ControlPlane& plane_;
  const MakePreparation prepare_;
  // Of the calling thread:
  std::map<std::string, Rank> ranks_;
  std::map<std::string, Leaving> leaving_;
  mutable absl::Mutex mutex_;
  std::map<std::string, Told> told_ ABSL_GUARDED_BY(mutex_);
  std::vector<Event> events_ ABSL_GUARDED_BY(mutex_);
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  bool changed_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace enigma::coordinator
