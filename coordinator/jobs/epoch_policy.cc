#include "coordinator/jobs/epoch_policy.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "coordinator/jobs/rifts.h"
#include "engine/spec/slot_shares.h"

namespace enigma::coordinator {
namespace {

using enigma::v1::RankPhase;
using Kind = EpochDecision::Kind;

// What a member of the epoch does in it.
enum class Part {
  kAwaited,   // it cannot be told yet whether it is lost
  kGone,      // it died, or has forgotten what it was a part of
  kStarting,  // told to begin, not answered yet
  kRunning,
  kPaused,
  kHalted,
  kFinished,
};

// Has a state, and does nothing with it.
bool IsIdle(RankPhase phase) {
  return phase == enigma::v1::RANK_READY || phase == enigma::v1::RANK_PAUSED || phase == enigma::v1::RANK_HALTED ||
         phase == enigma::v1::RANK_FINISHED;
}

class Judgement {
 public:
  Judgement(const EpochView& view, const EpochTimes& times) : view_(view), times_(times) {
    for (const std::string& node : view_.members) parts_.push_back(PartOf(node));
  }

  EpochDecision Decide() {
    HaltStrays();
    if (view_.members.empty()) return Gather();
    if (Count(Part::kFinished) > 0) return Finish();
    if (Count(Part::kGone) + Count(Part::kHalted) > 0) return Mend();
    if (Count(Part::kPaused) > 0) return Paused();
    return Running();
  }

 private:
  const RankView* Find(const std::string& node) const {
    const auto found =
        std::find_if(view_.ranks.begin(), view_.ranks.end(), [&](const RankView& rank) { return rank.node == node; });
    return found == view_.ranks.end() ? nullptr : &*found;
  }
  bool IsMember(const std::string& node) const {
    return std::find(view_.members.begin(), view_.members.end(), node) != view_.members.end();
  }
  size_t Count(Part part) const { return static_cast<size_t>(std::count(parts_.begin(), parts_.end(), part)); }
  std::vector<std::string> Those(std::initializer_list<Part> wanted) const {
    std::vector<std::string> nodes;
    for (size_t i = 0; i < parts_.size(); ++i) {
      if (std::find(wanted.begin(), wanted.end(), parts_[i]) != wanted.end()) nodes.push_back(view_.members[i]);
    }
    return nodes;
  }

  Part PartOf(const std::string& node) const {
    const RankView* rank = Find(node);
    const bool in_grace = view_.now < view_.grace_until;
    if (rank == nullptr) return Part::kGone;
    if (!rank->alive) return rank->absent && in_grace ? Part::kAwaited : Part::kGone;
    if (view_.now < rank->left_out_until) return Part::kGone;
    if (!rank->connected) {
      return in_grace || view_.now - rank->changed_at <= times_.stream_patience ? Part::kAwaited : Part::kGone;
    }
    const enigma::v1::RankStanding& standing = rank->standing;
    if (standing.epoch() < view_.epoch) {
      // The order went out on this stream, or it was lost with the one before.
      const bool told = rank->changed_at < view_.begun_at;
      return told && view_.now - view_.begun_at <= times_.answer_patience ? Part::kStarting : Part::kGone;
    }
    switch (standing.phase()) {
      case enigma::v1::RANK_RUNNING:
        return Part::kRunning;
      case enigma::v1::RANK_PAUSED:
        return Part::kPaused;
      case enigma::v1::RANK_FINISHED:
        return Part::kFinished;
      case enigma::v1::RANK_PREPARING:
        return Part::kGone;
      default:
        return Part::kHalted;
    }
  }

  // Who was a part of an earlier epoch and has not heard that it is over.
  void HaltStrays() {
    for (const RankView& rank : view_.ranks) {
      if (rank.connected && !IsMember(rank.node) && rank.standing.phase() == enigma::v1::RANK_RUNNING) {
        decision_.halt.push_back(rank.node);
      }
    }
  }

  EpochDecision As(Kind kind, std::string reason = "") {
    decision_.kind = kind;
    decision_.reason = std::move(reason);
    return std::move(decision_);
  }

  // Candidates for the next epoch.
  bool IsUsable(const RankView& rank) const {
    return rank.alive && rank.connected && IsIdle(rank.standing.phase()) && view_.now >= rank.left_out_until;
  }
  size_t RanksMax() const {
    return view_.ranks_max == 0 ? view_.slots : std::min<size_t>(view_.ranks_max, view_.slots);
  }

  // No epoch is under way: nobody is in a hurry until somebody is ready.
  EpochDecision Gather() {
    if (view_.stop) return As(Kind::kStopped);
    absl::Duration first_ready = absl::InfiniteDuration();
    bool others = false;
    for (const RankView& rank : view_.ranks) {
      if (!rank.alive || rank.leaving || view_.now < rank.left_out_until) continue;
      if (IsUsable(rank)) {
        first_ready = std::min(first_ready, rank.stands_since);
      } else {
        others = true;
      }
    }
    if (others && view_.now - first_ready < times_.gather_patience) {
      return As(Kind::kPrepare, "workers fetch data and tokenizer");
    }
    return Plan({});
  }

  EpochDecision Finish() {
    // Who still runs is a message away from being finished, or halts.
    if (Count(Part::kRunning) + Count(Part::kStarting) + Count(Part::kAwaited) > 0) return As(Kind::kSettle);
    decision_.exporter = Those({Part::kFinished}).front();
    return As(Kind::kFinish, Find(decision_.exporter)->standing.reason());
  }

  // Somebody is lost, or a link broke: everybody stops, and those who can begin anew.
  EpochDecision Mend() {
    const std::vector<std::string> active = Those({Part::kRunning, Part::kStarting});
    const bool waited_enough = view_.halting_since && view_.now - *view_.halting_since > times_.answer_patience;
    if (!waited_enough && (!active.empty() || Count(Part::kAwaited) > 0)) {
      decision_.halt.insert(decision_.halt.end(), active.begin(), active.end());
      return As(Kind::kHalt, WhyBroken());
    }
    // Those that are still active do not answer.
    decision_.lost = Those({Part::kGone, Part::kRunning, Part::kStarting, Part::kAwaited});
    if (view_.stop) return As(Kind::kStopped);
    if (const absl::Duration due = view_.begun_at + FruitlessPause(); view_.now < due) {
      return As(Kind::kSettle, absl::StrCat("epochs keep breaking: ", WhyBroken()));
    }
    BrokenLinks broken = FindRifts(ClaimsOfMembers(), view_.doubts);
    decision_.doubts = std::move(broken.doubts);
    return Plan(std::move(broken.rifts));
  }

  std::string WhyBroken() const {
    for (size_t i = 0; i < parts_.size(); ++i) {
      if (parts_[i] == Part::kGone) return absl::StrCat("node ", view_.members[i], " was lost");
    }
    for (size_t i = 0; i < parts_.size(); ++i) {
      if (parts_[i] != Part::kHalted) continue;
      const RankView* rank = Find(view_.members[i]);
      if (!rank->standing.reason().empty()) {
        return absl::StrCat("node ", rank->node, " halted: ", rank->standing.reason());
      }
    }
    return "a rank halted";
  }

  // A death explains what its neighbours lost.
  std::vector<LinkClaim> ClaimsOfMembers() const {
    std::vector<LinkClaim> claims;
    if (Count(Part::kGone) > 0 || !decision_.lost.empty()) return claims;
    for (const std::string& node : Those({Part::kHalted})) {
      const RankView* rank = Find(node);
      const auto& unheard = rank->standing.unheard_nodes();
      claims.push_back({node, rank->standing.lost_node(), rank->speed, {unheard.begin(), unheard.end()}});
    }
    return claims;
  }

  absl::Duration FruitlessPause() const {
    if (view_.fruitless <= 2) return absl::ZeroDuration();
    return std::min(times_.fruitless_pause * (int64_t{1} << std::min(view_.fruitless - 2, 20U)),
                    times_.fruitless_pause_max);
  }

  EpochDecision Paused() {
    if (Count(Part::kRunning) + Count(Part::kStarting) + Count(Part::kAwaited) > 0) return As(Kind::kSettle);
    if (view_.stop) return As(Kind::kStopped);
    return Plan({});
  }

  EpochDecision Running() {
    if (view_.stop) return As(Kind::kStop, "it is being cancelled");
    if (Count(Part::kStarting) > 0 || view_.now - view_.begun_at < times_.join_pause) return As(Kind::kGoOn);
    std::vector<std::string> leaving;
    for (const std::string& node : view_.members) {
      if (const RankView* rank = Find(node); rank != nullptr && rank->leaving) leaving.push_back(node);
    }
    std::vector<std::string> joining;
    for (const RankView& rank : view_.ranks) {
      if (!IsMember(rank.node) && !rank.leaving && IsUsable(rank)) joining.push_back(rank.node);
    }
    if (!leaving.empty() && leaving.size() == view_.members.size() && joining.empty()) {
      return As(Kind::kStop, "every worker is leaving");
    }
    if (!leaving.empty()) return As(Kind::kPause, absl::StrCat("node ", absl::StrJoin(leaving, ", "), " is leaving"));
    const size_t room = RanksMax() - std::min(RanksMax(), view_.members.size());
    if (!joining.empty() && room > 0) {
      return As(Kind::kPause, absl::StrCat("node ", absl::StrJoin(joining, ", "), " joins"));
    }
    return As(Kind::kGoOn);
  }

  // Begins an epoch with everybody who can take part, but for those that a rift sets apart.
  EpochDecision Plan(std::vector<Rift> rifts) {
    std::vector<const RankView*> candidates = Candidates(rifts);
    const auto stays = [](const RankView* rank) { return !rank->leaving; };
    if (std::none_of(candidates.begin(), candidates.end(), stays)) {
      for (const RankView* rank : candidates) decision_.dismissed.push_back(rank->node);
      return Nobody();
    }
    for (const RankView* rank : candidates) {
      // Its state may be the newest: it goes once others have that.
      if (rank->leaving && !HasNewest(candidates, rank)) decision_.dismissed.push_back(rank->node);
    }
    std::erase_if(candidates, [&](const RankView* rank) {
      return std::find(decision_.dismissed.begin(), decision_.dismissed.end(), rank->node) != decision_.dismissed.end();
    });
    const uint64_t step = (*std::max_element(candidates.begin(), candidates.end(), IsBehind))->standing.step();
    if (step < view_.checkpoint_step) {
      for (const RankView* rank : candidates) decision_.dismissed.push_back(rank->node);
      return As(Kind::kPrepare, absl::StrCat("workers fetch the checkpoint of step ", view_.checkpoint_step));
    }
    if (candidates.size() > RanksMax()) candidates.resize(RanksMax());
    KeepNewest(step, rifts, candidates);
    decision_.rifts = std::move(rifts);
    FillPlan(step, candidates);
    return As(Kind::kBegin);
  }

  static bool IsBehind(const RankView* a, const RankView* b) { return a->standing.step() < b->standing.step(); }
  // Whether nobody that stays has a state as new.
  static bool HasNewest(const std::vector<const RankView*>& candidates, const RankView* leaving) {
    return std::none_of(candidates.begin(), candidates.end(), [&](const RankView* rank) {
      return !rank->leaving && rank->standing.step() >= leaving->standing.step();
    });
  }

  // Members in their order, then newcomers, the fastest first.
  std::vector<const RankView*> Candidates(const std::vector<Rift>& rifts) const {
    std::vector<const RankView*> candidates;
    const auto is_apart = [&](const std::string& node) {
      return std::any_of(rifts.begin(), rifts.end(), [&](const Rift& rift) { return rift.node == node; });
    };
    for (const std::string& node : view_.members) {
      const RankView* rank = Find(node);
      if (rank != nullptr && IsUsable(*rank) && !is_apart(node)) candidates.push_back(rank);
    }
    const auto members = static_cast<std::ptrdiff_t>(candidates.size());
    for (const RankView& rank : view_.ranks) {
      if (!IsMember(rank.node) && IsUsable(rank) && !is_apart(rank.node)) candidates.push_back(&rank);
    }
    std::sort(candidates.begin() + members, candidates.end(), [](const RankView* a, const RankView* b) {
      return a->speed != b->speed ? a->speed > b->speed : a->node < b->node;
    });
    return candidates;
  }

  // Where there is no room for everybody, somebody with the newest state must still be among them.
  void KeepNewest(uint64_t step, const std::vector<Rift>& rifts, std::vector<const RankView*>& candidates) const {
    const auto has_it = [&](const RankView* rank) { return rank->standing.step() == step; };
    if (std::any_of(candidates.begin(), candidates.end(), has_it)) return;
    const std::vector<const RankView*> all = Candidates(rifts);
    candidates.back() = *std::find_if(all.begin(), all.end(), has_it);
  }

  void FillPlan(uint64_t step, const std::vector<const RankView*>& ranks) {
    EpochPlan& plan = decision_.plan;
    plan.step = step;
    std::vector<std::vector<uint32_t>> held;
    std::vector<std::string> holders;
    for (const RankView* rank : ranks) {
      plan.members.push_back(rank->node);
      plan.speeds.push_back(rank->speed > 0 ? rank->speed : 1);
      const enigma::v1::RankStanding& standing = rank->standing;
      const bool holds = standing.step() == step && standing.phase() == enigma::v1::RANK_HALTED;
      held.emplace_back();
      if (holds) held.back().assign(standing.held().begin(), standing.held().end());
      if (standing.step() == step) holders.push_back(rank->node);
    }
    plan.owners = engine::ShareOutSlots(view_.slots, plan.speeds, KeptSlots(view_.slots, std::move(held)));
    size_t next = 0;
    for (const RankView* rank : ranks) {
      if (rank->standing.step() != step) plan.sources[rank->node] = holders[next++ % holders.size()];
    }
  }

  EpochDecision Nobody() {
    for (const RankView& rank : view_.ranks) {
      const bool on_its_way = rank.alive && !rank.leaving && view_.now >= rank.left_out_until &&
                              (!rank.connected || rank.standing.phase() == enigma::v1::RANK_PREPARING);
      if (on_its_way) return As(Kind::kPrepare, "workers fetch data and tokenizer");
    }
    return As(Kind::kWait, "there is no worker that could go on");
  }

  const EpochView& view_;
  const EpochTimes& times_;
  std::vector<Part> parts_;  // by member
  EpochDecision decision_;
};

}  // namespace

std::string_view EpochDecisionName(EpochDecision::Kind kind) {
  constexpr std::array<std::string_view, 10> kNames = {"go on", "settle", "prepare", "wait",   "halt",
                                                       "pause", "stop",   "begin",   "finish", "stopped"};
  return kNames[static_cast<size_t>(kind)];
}

bool SamePair(const Rift& a, const Rift& b) {
  return (a.node == b.node && a.peer == b.peer) || (a.node == b.peer && a.peer == b.node);
}

std::vector<std::vector<uint32_t>> KeptSlots(uint32_t slots, std::vector<std::vector<uint32_t>> held) {
  std::vector<size_t> ranks(held.size());
  std::iota(ranks.begin(), ranks.end(), size_t{0});
  std::stable_sort(ranks.begin(), ranks.end(), [&](size_t a, size_t b) { return held[a].size() > held[b].size(); });
  std::vector<bool> taken(slots, false);
  for (const size_t rank : ranks) {
    const bool free =
        std::all_of(held[rank].begin(), held[rank].end(), [&](uint32_t slot) { return slot < slots && !taken[slot]; });
    if (!free) held[rank].clear();
    for (const uint32_t slot : held[rank]) taken[slot] = true;
  }
  return held;
}

EpochDecision DecideEpoch(const EpochView& view, const EpochTimes& times) { return Judgement(view, times).Decide(); }

}  // namespace enigma::coordinator
