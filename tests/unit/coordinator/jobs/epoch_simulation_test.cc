// Jobs under random deaths, cuts and restarts: the policy's orders, carried out by ranks that are only as true to life
// as docs/training.md says they are, always bring the job to its end, and no slot of a step is ever added up twice.
#include <algorithm>
#include <map>
#include <optional>
#include <random>
#include <set>

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include "coordinator/jobs/epoch_policy.h"
#include "coordinator/jobs/link_doubts.h"

namespace enigma::coordinator {
namespace {

using Kind = EpochDecision::Kind;

constexpr absl::Duration kTick = absl::Milliseconds(100);
constexpr uint32_t kSlots = 5;
constexpr uint64_t kSteps = 250;
// As worker/training/stream_links.h has it: after the last word of a peer, with what it takes to end the links; and of
// a peer to which no link can be opened.
constexpr absl::Duration kSilence = absl::Milliseconds(1400);
constexpr absl::Duration kNoAnswer = absl::Milliseconds(1100);

// A rank on its node. Everything that a new process would not know is in `standing` and the three after it.
struct SimulatedRank {
  RankView view;
  std::vector<std::string> peers;  // of its epoch
  std::set<uint32_t> owned;
  std::map<std::string, std::string> sources;
  bool pause = false;

  void Begin(uint64_t epoch, const EpochPlan& plan) {
    enigma::v1::RankStanding& standing = view.standing;
    if (epoch <= standing.epoch()) return;
    owned.clear();
    for (uint32_t slot = 0; slot < plan.owners.size(); ++slot) {
      if (plan.members[plan.owners[slot]] == view.node) owned.insert(slot);
    }
    const bool keeps = std::all_of(standing.held().begin(), standing.held().end(),
                                   [&](uint32_t slot) { return owned.contains(slot); });
    if (!keeps || standing.step() != plan.step) standing.clear_held();
    EXPECT_EQ(standing.step() != plan.step, plan.sources.contains(view.node));
    peers = plan.members;
    pause = false;
    standing.set_epoch(epoch);
    standing.set_step(plan.step);  // the source's state never changes before this rank takes part
    Become(enigma::v1::RANK_RUNNING);
  }
  void Halt(const std::string& lost) {
    if (view.standing.phase() != enigma::v1::RANK_RUNNING) return;
    view.standing.set_lost_node(lost);
    Become(enigma::v1::RANK_HALTED);
  }
  void Become(enigma::v1::RankPhase phase) {
    if (phase != enigma::v1::RANK_HALTED) view.standing.clear_lost_node();
    view.standing.set_phase(phase);
  }
};

class Simulation {
 public:
  explicit Simulation(uint32_t seed) : random_(seed) {
    for (int i = 0; i < 4; ++i) Start(absl::StrCat("n", i));
  }

  // Whether the job ends: with trouble for a while, and without from then on.
  bool Run() {
    for (int tick = 0; tick < 3000; ++tick) {
      now_ += kTick;
      if (tick < 600) Trouble();
      if (tick == 600) EndTrouble();
      Compute();
      Notice();
      if (Steer()) return true;
    }
    return false;
  }
  // How long until a step is done after n0 and n1 have lost each other. n0 notices first and tells the others; n1 may
  // have noticed that it hears nothing, or not.
  absl::Duration GetOverACut(bool both_notice) {
    const auto steps = [&] { return ranks_["n2"].view.standing.step(); };
    const auto tick = [&] {
      now_ += kTick;
      Compute();
      NoticeCut(both_notice);
      Steer();
    };
    while (steps() < 10) tick();
    cuts_.insert({"n0", "n1"});
    cut_at_ = now_;
    const uint64_t before = steps();
    while (steps() == before && now_ - cut_at_ < absl::Minutes(1)) tick();
    return now_ - cut_at_;
  }
  const std::vector<std::string>& members() const { return members_; }
  std::string Describe() const {
    std::string text = absl::StrCat("epoch ", epoch_, " of ", members_.size(), " members\n");
    for (const auto& [node, rank] : ranks_) {
      absl::StrAppend(&text, node, rank.view.alive ? "" : " dead", rank.view.connected ? "" : " cut off", " ",
                      rank.view.standing.ShortDebugString(), "\n");
    }
    return text;
  }
  uint64_t epochs() const { return epoch_; }

 private:
  bool Chance(int of_thousand) { return std::uniform_int_distribution<int>(0, 999)(random_) < of_thousand; }
  SimulatedRank& Any() {
    auto at = ranks_.begin();
    std::advance(at, std::uniform_int_distribution<size_t>(0, ranks_.size() - 1)(random_));
    return at->second;
  }

  // A new process: it fetches the newest checkpoint.
  void Start(const std::string& node) {
    SimulatedRank rank;
    rank.view.node = node;
    rank.view.alive = true;
    rank.view.connected = true;
    rank.view.changed_at = now_;
    rank.view.stands_since = now_;
    rank.view.standing.set_phase(enigma::v1::RANK_READY);
    rank.view.standing.set_step(checkpoint_);
    ranks_[node] = rank;
  }

  void Trouble() {
    if (Chance(15)) Any().view.alive = false;
    if (Chance(25)) {
      SimulatedRank& rank = Any();
      if (!rank.view.alive) Start(rank.view.node);
    }
    if (Chance(10)) {
      SimulatedRank& rank = Any();
      rank.view.connected = !rank.view.connected;
      rank.view.changed_at = now_;
    }
    if (Chance(8)) cuts_.insert({Any().view.node, Any().view.node});
    if (Chance(8)) cuts_.clear();
    if (Chance(10)) checkpoint_ = std::max(checkpoint_, AnyStep());
    if (Chance(5)) RestartCoordinator();
  }
  void EndTrouble() {
    cuts_.clear();
    for (auto& [node, rank] : ranks_) {
      if (!rank.view.alive) Start(node);
      if (!rank.view.connected) rank.view.changed_at = now_;
      rank.view.connected = true;
    }
  }
  uint64_t AnyStep() {
    const SimulatedRank& rank = Any();
    return rank.view.alive ? rank.view.standing.step() : 0;
  }
  void RestartCoordinator() {
    begun_at_ = absl::ZeroDuration();
    halting_since_.reset();
    grace_until_ = now_ + absl::Seconds(2);
    fruitless_ = 0;
    doubts_.emplace();
    for (auto& [node, rank] : ranks_) {
      rank.view.changed_at = now_;
      rank.view.absent = !rank.view.alive;
      rank.view.left_out_until = absl::ZeroDuration();
    }
  }

  bool IsCut(const std::string& a, const std::string& b) const {
    return cuts_.contains({a, b}) || cuts_.contains({b, a});
  }

  bool HasCut(const std::vector<SimulatedRank*>& group) const {
    return std::any_of(cuts_.begin(), cuts_.end(), [&](const auto& cut) {
      return std::count_if(group.begin(), group.end(), [&](const SimulatedRank* rank) {
               return rank->view.node == cut.first || rank->view.node == cut.second;
             }) == 2;
    });
  }

  // One slot for everybody; whoever is last completes the step, unless it dies meanwhile for some.
  void Compute() {
    std::map<uint64_t, std::vector<SimulatedRank*>> groups;
    for (auto& [node, rank] : ranks_) {
      if (rank.view.alive && rank.view.standing.phase() == enigma::v1::RANK_RUNNING) {
        groups[rank.view.standing.epoch()].push_back(&rank);
      }
    }
    for (auto& [epoch, group] : groups) {
      for (SimulatedRank* rank : group) {
        const auto& held = rank->view.standing.held();
        for (const uint32_t slot : rank->owned) {
          if (std::find(held.begin(), held.end(), slot) != held.end()) continue;
          rank->view.standing.add_held(slot);
          break;
        }
      }
      FinishStep(group);
    }
  }
  void FinishStep(const std::vector<SimulatedRank*>& group) {
    if (group.size() != group.front()->peers.size() || HasCut(group)) return;
    std::multiset<uint32_t> summed;
    for (const SimulatedRank* rank : group)
      summed.insert(rank->view.standing.held().begin(), rank->view.standing.held().end());
    if (group.front()->view.standing.step() < kSteps) {
      if (summed.size() < kSlots) return;
      for (uint32_t slot = 0; slot < kSlots; ++slot) EXPECT_EQ(summed.count(slot), 1u) << "slot " << slot;
    }
    const bool torn = Chance(20);  // some have all sums, others lose their link just before
    for (SimulatedRank* rank : group) {
      if (torn && Chance(500)) continue;
      enigma::v1::RankStanding& standing = rank->view.standing;
      standing.clear_held();
      if (standing.step() < kSteps) standing.set_step(standing.step() + 1);
      if (standing.step() == kSteps) {
        rank->Become(enigma::v1::RANK_FINISHED);
      } else if (rank->pause) {
        rank->Become(enigma::v1::RANK_PAUSED);
      }
    }
    if (torn) {
      for (SimulatedRank* rank : group) rank->Halt("");
    }
  }

  // Ranks notice broken links, though not all at once.
  void Notice() {
    for (auto& [node, rank] : ranks_) {
      if (!rank.view.alive || rank.view.standing.phase() != enigma::v1::RANK_RUNNING || Chance(300)) continue;
      for (const std::string& peer : rank.peers) {
        const SimulatedRank& other = ranks_[peer];
        const enigma::v1::RankStanding& its = other.view.standing;
        const bool went_on = its.epoch() > rank.view.standing.epoch();
        const bool stopped = its.epoch() == rank.view.standing.epoch() && its.phase() == enigma::v1::RANK_HALTED;
        const bool forgot = its.epoch() == 0;
        if (peer != node && (!other.view.alive || went_on || stopped || forgot || IsCut(node, peer))) {
          rank.Halt(peer);
          break;
        }
      }
    }
  }

  void NoticeCut(bool both_notice) {
    SimulatedRank& first = ranks_["n0"];
    const bool together = std::count(first.peers.begin(), first.peers.end(), "n1") > 0;
    if (cuts_.empty() || !together || first.view.standing.phase() != enigma::v1::RANK_RUNNING) return;
    const bool in_vain = begun_at_ >= cut_at_;
    if (now_ - (in_vain ? begun_at_ : cut_at_) < (in_vain ? kNoAnswer : kSilence)) return;
    for (const std::string& peer : first.peers) ranks_[peer].Halt(peer == "n1" ? "" : "n1");
    ranks_["n1"].view.standing.clear_unheard_nodes();
    if (both_notice) ranks_["n1"].view.standing.add_unheard_nodes("n0");
  }

  bool Steer() {
    EpochView view;
    view.now = now_;
    view.epoch = epoch_;
    view.members = members_;
    view.begun_at = begun_at_;
    view.halting_since = halting_since_;
    view.fruitless = fruitless_;
    view.slots = kSlots;
    view.checkpoint_step = checkpoint_;
    view.grace_until = grace_until_;
    view.doubts = doubts_->pairs();
    for (auto& [node, rank] : ranks_) view.ranks.push_back(rank.view);
    const EpochDecision decision = DecideEpoch(view);
    for (const std::string& node : decision.halt) {
      if (ranks_[node].view.alive && ranks_[node].view.connected) ranks_[node].Halt("");
    }
    for (const std::string& node : decision.dismissed) Start(node);
    for (const Rift& rift : decision.rifts) ranks_[rift.node].view.left_out_until = now_ + absl::Seconds(3);
    doubts_->Serve(members_, now_ - begun_at_);
    doubts_->Add(decision.rifts);
    doubts_->Add(decision.doubts);
    if (decision.kind == Kind::kHalt && !halting_since_) halting_since_ = now_;
    if (decision.kind == Kind::kPause) {
      for (const std::string& node : members_) ranks_[node].pause = true;  // the leader's word goes to everybody
    }
    if (decision.kind == Kind::kWait || decision.kind == Kind::kPrepare) members_.clear();
    if (decision.kind == Kind::kBegin) Begin(decision.plan);
    return decision.kind == Kind::kFinish;
  }
  void Begin(const EpochPlan& plan) {
    ASSERT_EQ(plan.owners.size(), kSlots);
    EXPECT_GE(plan.step, checkpoint_);
    const uint64_t gained = plan.step * kSlots;
    fruitless_ = gained > gained_ ? 0 : fruitless_ + 1;
    gained_ = std::max(gained, gained_);
    ++epoch_;
    members_ = plan.members;
    begun_at_ = now_;
    halting_since_.reset();
    for (const std::string& node : plan.members) {
      EXPECT_TRUE(ranks_[node].view.alive && ranks_[node].view.connected) << node;
      ranks_[node].Begin(epoch_, plan);
    }
  }

  std::mt19937 random_;
  absl::Duration now_ = absl::Seconds(1000);
  std::map<std::string, SimulatedRank> ranks_;
  std::set<std::pair<std::string, std::string>> cuts_;
  uint64_t epoch_ = 0;
  std::vector<std::string> members_;
  absl::Duration begun_at_;
  std::optional<absl::Duration> halting_since_;
  absl::Duration grace_until_;
  std::optional<LinkDoubts> doubts_ = LinkDoubts();
  absl::Duration cut_at_;
  uint32_t fruitless_ = 0;
  uint64_t gained_ = 0;
  uint64_t checkpoint_ = 0;
};

TEST(EpochSimulationTest, EveryJobEndsWhateverHappens) {
  uint64_t epochs = 0;
  for (uint32_t seed = 1; seed <= 300; ++seed) {
    Simulation simulation(seed);
    ASSERT_TRUE(simulation.Run()) << "seed " << seed << "\n" << simulation.Describe();
    ASSERT_FALSE(::testing::Test::HasFailure()) << "seed " << seed;
    epochs += simulation.epochs();
  }
  EXPECT_GT(epochs, 5000u);  // there was trouble
}

TEST(EpochSimulationTest, ACutIsGotOverWithinThreeSeconds) {
  for (const bool both_notice : {true, false}) {
    Simulation simulation(1);
    EXPECT_LT(simulation.GetOverACut(both_notice), both_notice ? absl::Seconds(2) : absl::Seconds(3)) << both_notice;
    EXPECT_EQ(simulation.members(), (std::vector<std::string>{"n0", "n2", "n3"}));
  }
}

}  // namespace
}  // namespace enigma::coordinator
