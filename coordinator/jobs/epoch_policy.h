#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/time/time.h>

#include "proto/rank.pb.h"

namespace enigma::coordinator {

// What is to become of a job's epoch (docs/training.md), as a pure function of what is known of its ranks. All times
// are on one monotonic clock.

// Two that live and cannot reach each other; `node` is left out because of that, where one is.
struct Rift {
  std::string node;
  std::string peer;
};
// Whether they are of the same two.
bool SamePair(const Rift& a, const Rift& b);

// A rank, or a node that may become one.
struct RankView {
  std::string node;
  bool alive = false;                 // its node attends
  bool absent = false;                // its node has not been there since the coordinator started
  bool leaving = false;               // its node says that it is about to stop
  bool connected = false;             // its stream is up, and told where it stands
  absl::Duration changed_at;          // when `connected` became what it is
  absl::Duration stands_since;        // when it came into its phase
  absl::Duration left_out_until;      // it is not made a part of an epoch before
  double speed = 1;                   // slots per second, or anything proportional to that
  enigma::v1::RankStanding standing;  // the last one; meaningless before the first
};

struct EpochView {
  absl::Duration now;
  uint64_t epoch = 0;                // that was begun last; 0: none was
  std::vector<std::string> members;  // its nodes in order; empty: it is over, and nobody has to be halted
  absl::Duration begun_at;
  std::optional<absl::Duration> halting_since;  // its ranks have been told to halt
  uint32_t fruitless = 0;                       // epochs in a row that ended without a slot gained
  bool stop = false;                            // the job is to be cancelled
  uint32_t slots = 1;                           // of a step
  uint32_t ranks_max = 0;                       // 0: any
  uint64_t checkpoint_step = 0;                 // of the newest one that is whole
  // Nodes of members may take so long to come back after the coordinator itself has.
  absl::Duration grace_until;
  std::vector<Rift> doubts;  // links that broke lately; see coordinator/jobs/link_doubts.h
  std::vector<RankView> ranks;
};

struct EpochPlan {
  uint64_t step = 0;                           // steps done when it begins
  std::vector<std::string> members;            // the first one leads
  std::vector<uint32_t> owners;                // index into members, by slot of the first step
  std::vector<double> speeds;                  // by member
  std::map<std::string, std::string> sources;  // who is not at `step`, and who gives it that state
};

struct EpochDecision {
  enum class Kind {
    kGoOn,     // steps are being done, or begin to be
    kSettle,   // ranks are on their way to what they were told; the next event may allow more
    kPrepare,  // ranks are on their way to have what they need
    kWait,     // there is nobody
    kHalt,     // those in `halt` are to stop, because of `reason`
    kPause,    // the leader is to pause everybody at a step boundary
    kStop,     // the same, after a checkpoint
    kBegin,    // by `plan`
    kFinish,   // all steps are done; `exporter` is to export the model
    kStopped,  // as the view's `stop` asked: no rank does anything any more
  };
  Kind kind = Kind::kGoOn;
  std::string reason;             // a sentence for people
  std::vector<std::string> halt;  // ranks that run and should not, whatever the kind is
  EpochPlan plan;
  std::string exporter;
  std::vector<std::string> lost;       // members of the epoch before that are gone; with kBegin and kWait
  std::vector<std::string> dismissed;  // ranks that are to be let go; one that is still wanted may be prepared anew
  std::vector<Rift> rifts;             // with kBegin
  std::vector<Rift> doubts;            // with kBegin: where that breaks again, one of the two is left out
};
std::string_view EpochDecisionName(EpochDecision::Kind kind);

struct EpochTimes {
  absl::Duration stream_patience = absl::Seconds(3);   // for the stream of a rank whose node lives to come back
  absl::Duration answer_patience = absl::Seconds(10);  // for a rank to take up an order
  absl::Duration gather_patience = absl::Seconds(3);   // at the beginning: for others than the first that is ready
  absl::Duration join_pause = absl::Seconds(1);        // an epoch lasts so long before it is paused for newcomers
  absl::Duration fruitless_pause = absl::Milliseconds(200);  // doubled with every one after the second
  absl::Duration fruitless_pause_max = absl::Seconds(10);
};

EpochDecision DecideEpoch(const EpochView& view, const EpochTimes& times = {});

// What may stay with those that hold it: sums of slots cannot be taken apart, so of two ranks that hold one slot the
// one that holds fewer, of equals the later, loses all. By rank.
std::vector<std::vector<uint32_t>> KeptSlots(uint32_t slots, std::vector<std::vector<uint32_t>> held);

}  // namespace enigma::coordinator
