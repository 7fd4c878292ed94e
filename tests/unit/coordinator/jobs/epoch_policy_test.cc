#include "coordinator/jobs/epoch_policy.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/jobs/link_doubts.h"
#include "coordinator/jobs/rifts.h"

namespace enigma::coordinator {

void PrintTo(const Rift& rift, std::ostream* out) { *out << rift.node << " lost " << rift.peer; }
bool operator==(const Rift& a, const Rift& b) { return a.node == b.node && a.peer == b.peer; }

namespace {

using enigma::v1::RankPhase;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::Pair;
using ::testing::UnorderedElementsAre;
using Kind = EpochDecision::Kind;
using Nodes = std::vector<std::string>;
using Slots = std::vector<uint32_t>;

constexpr RankPhase kPreparing = enigma::v1::RANK_PREPARING;
constexpr RankPhase kReady = enigma::v1::RANK_READY;
constexpr RankPhase kRunning = enigma::v1::RANK_RUNNING;
constexpr RankPhase kPaused = enigma::v1::RANK_PAUSED;
constexpr RankPhase kHalted = enigma::v1::RANK_HALTED;
constexpr RankPhase kFinished = enigma::v1::RANK_FINISHED;

constexpr absl::Duration kBegun = absl::Seconds(1000);
constexpr absl::Duration kLater = absl::Seconds(1100);

struct Standing {
  const char* node;
  RankPhase phase;
  uint64_t epoch = 0;
  uint64_t step = 0;
  Slots held = {};
  const char* lost = "";
};

RankView Rank(const Standing& is) {
  RankView rank;
  rank.node = is.node;
  rank.alive = true;
  rank.connected = true;
  rank.changed_at = kBegun - absl::Seconds(10);
  rank.stands_since = kBegun;
  rank.standing.set_phase(is.phase);
  rank.standing.set_epoch(is.epoch);
  rank.standing.set_step(is.step);
  for (const uint32_t slot : is.held) rank.standing.add_held(slot);
  rank.standing.set_lost_node(is.lost);
  return rank;
}

// Epoch 3 of `members`, begun a while ago, in a job of four slots.
EpochView Epoch(Nodes members, std::vector<Standing> standings) {
  EpochView view;
  view.now = kLater;
  view.epoch = 3;
  view.members = std::move(members);
  view.begun_at = kBegun;
  view.slots = 4;
  for (const Standing& standing : standings) view.ranks.push_back(Rank(standing));
  return view;
}

RankView& Of(EpochView& view, const std::string& node) {
  return *std::find_if(view.ranks.begin(), view.ranks.end(), [&](const RankView& rank) { return rank.node == node; });
}
void Kill(EpochView& view, const std::string& node) { Of(view, node).alive = false; }
void Disconnect(EpochView& view, const std::string& node, absl::Duration ago) {
  Of(view, node).connected = false;
  Of(view, node).changed_at = view.now - ago;
}

// --- nothing to do

TEST(EpochPolicyTest, AnEpochThatRunsGoesOn) {
  EpochView view = Epoch({"a", "b"}, {{"a", kRunning, 3, 7}, {"b", kRunning, 3, 7}});
  EXPECT_EQ(DecideEpoch(view).kind, Kind::kGoOn);
}

TEST(EpochPolicyTest, RanksThatHaveNotAnsweredTheBeginningAreWaitedFor) {
  EpochView view = Epoch({"a", "b"}, {{"a", kRunning, 3, 7}, {"b", kReady, 0, 7}});
  view.now = kBegun + absl::Seconds(9);
  EXPECT_EQ(DecideEpoch(view).kind, Kind::kGoOn);
  view.now = kBegun + absl::Seconds(11);
  const EpochDecision decision = DecideEpoch(view);
  EXPECT_EQ(decision.kind, Kind::kHalt);
  EXPECT_THAT(decision.halt, ElementsAre("a"));
}

TEST(EpochPolicyTest, ACoordinatorThatComesBackTakesTheEpochOver) {
  EpochView view = Epoch({"a", "b"}, {{"a", kRunning, 3, 9}, {"b", kRunning, 3, 9}});
  view.begun_at = absl::ZeroDuration();  // by the coordinator before
  Kill(view, "b");
  view.grace_until = kLater + absl::Seconds(5);
  EXPECT_EQ(DecideEpoch(view).kind, Kind::kHalt);
  Of(view, "b").absent = true;
  EXPECT_EQ(DecideEpoch(view).kind, Kind::kGoOn);
  view.grace_until = kLater;
  EXPECT_EQ(DecideEpoch(view).kind, Kind::kHalt);
}

// --- losses

TEST(EpochPolicyTest, ARankThatDiesMidStepLosesItsSlotsOnly) {
  EpochView view = Epoch({"a", "b", "c"}, {{"a", kRunning, 3, 7}, {"b", kRunning, 3, 7}, {"c", kRunning, 3, 7}});
  Kill(view, "b");
  EpochDecision decision = DecideEpoch(view);
  EXPECT_EQ(decision.kind, Kind::kHalt);
  EXPECT_THAT(decision.halt, ElementsAre("a", "c"));
  EXPECT_THAT(decision.reason, ::testing::HasSubstr("node b was lost"));

  view = Epoch({"a", "b", "c"}, {{"a", kHalted, 3, 7, {0}, "b"}, {"b", kRunning, 3, 7}, {"c", kHalted, 3, 7, {3}}});
  Kill(view, "b");
  decision = DecideEpoch(view);
  ASSERT_EQ(decision.kind, Kind::kBegin);
  EXPECT_THAT(decision.plan.members, ElementsAre("a", "c"));
  EXPECT_EQ(decision.plan.step, 7u);
  EXPECT_EQ(decision.plan.owners[0], 0u);
  EXPECT_EQ(decision.plan.owners[3], 1u);
  EXPECT_NE(decision.plan.owners[1], decision.plan.owners[2]);  // what was lost is shared out
  EXPECT_THAT(decision.plan.sources, IsEmpty());
  EXPECT_THAT(decision.lost, ElementsAre("b"));
  EXPECT_THAT(decision.rifts, IsEmpty());
}

TEST(EpochPolicyTest, WhoHasFinishedTheStepGivesItsStateToTheOthers) {
  EpochView view =
      Epoch({"a", "b", "c"}, {{"a", kHalted, 3, 7, {0, 1}}, {"b", kRunning, 3, 7}, {"c", kHalted, 3, 8, {3}}});
  Kill(view, "b");
  const EpochDecision decision = DecideEpoch(view);
  ASSERT_EQ(decision.kind, Kind::kBegin);
  EXPECT_EQ(decision.plan.step, 8u);
  EXPECT_THAT(decision.plan.sources, ElementsAre(Pair("a", "c")));
  EXPECT_EQ(decision.plan.owners[3], 1u);  // c holds it already
  EXPECT_EQ(std::count(decision.plan.owners.begin(), decision.plan.owners.end(), 0u), 2);
}

TEST(EpochPolicyTest, TwoDie) {
  EpochView view = Epoch({"a", "b", "c"}, {{"a", kRunning, 3, 7}, {"b", kRunning, 3, 7}, {"c", kHalted, 3, 7, {2}}});
  Kill(view, "a");
  Kill(view, "b");
  const EpochDecision decision = DecideEpoch(view);
  ASSERT_EQ(decision.kind, Kind::kBegin);
  EXPECT_THAT(decision.plan.members, ElementsAre("c"));
  EXPECT_THAT(decision.plan.owners, ElementsAre(0, 0, 0, 0));
  EXPECT_THAT(decision.lost, ElementsAre("a", "b"));
}

TEST(EpochPolicyTest, AllDie) {
  EpochView view = Epoch({"a", "b"}, {{"a", kRunning, 3, 7}, {"b", kRunning, 3, 7}});
  Kill(view, "a");
  Kill(view, "b");
  const EpochDecision decision = DecideEpoch(view);
  EXPECT_EQ(decision.kind, Kind::kWait);
  EXPECT_THAT(decision.lost, ElementsAre("a", "b"));
}

TEST(EpochPolicyTest, AStreamMayBreakForAMoment) {
  EpochView view = Epoch({"a", "b"}, {{"a", kRunning, 3, 7}, {"b", kRunning, 3, 7}});
  Disconnect(view, "b", absl::Seconds(2));
  EXPECT_EQ(DecideEpoch(view).kind, Kind::kGoOn);
  Disconnect(view, "b", absl::Seconds(4));
  EXPECT_EQ(DecideEpoch(view).kind, Kind::kHalt);
}

TEST(EpochPolicyTest, ARankThatComesBackAnewHasNoPartInItsOldEpoch) {
  EpochView view = Epoch({"a", "b"}, {{"a", kHalted, 3, 7, {0}, "b"}, {"b", kReady, 0, 0}});
  Of(view, "b").changed_at = kBegun + absl::Seconds(50);
  const EpochDecision decision = DecideEpoch(view);
  ASSERT_EQ(decision.kind, Kind::kBegin);
  EXPECT_THAT(decision.lost, ElementsAre("b"));
  EXPECT_THAT(decision.plan.members, ElementsAre("a", "b"));
  EXPECT_THAT(decision.plan.sources, ElementsAre(Pair("b", "a")));
  EXPECT_EQ(decision.plan.owners[0], 0u);
}

TEST(EpochPolicyTest, WhoDoesNotHaltIsLeftBehind) {
  EpochView view = Epoch({"a", "b", "c"}, {{"a", kHalted, 3, 7}, {"b", kRunning, 3, 7}, {"c", kRunning, 3, 7}});
  Kill(view, "c");
  view.halting_since = view.now - absl::Seconds(9);
  EXPECT_EQ(DecideEpoch(view).kind, Kind::kHalt);
  view.halting_since = view.now - absl::Seconds(11);
  const EpochDecision decision = DecideEpoch(view);
  ASSERT_EQ(decision.kind, Kind::kBegin);
  EXPECT_THAT(decision.plan.members, ElementsAre("a"));
  EXPECT_THAT(decision.lost, ElementsAre("b", "c"));
}

TEST(EpochPolicyTest, WhoMissedTheEndOfItsEpochIsHalted) {
  EpochView view = Epoch({"a"}, {{"a", kRunning, 3, 7}, {"b", kRunning, 2, 5}});
  const EpochDecision decision = DecideEpoch(view);
  EXPECT_EQ(decision.kind, Kind::kGoOn);
  EXPECT_THAT(decision.halt, ElementsAre("b"));
}

TEST(EpochPolicyTest, EpochsThatBreakInVainBeginMoreAndMoreSeldom) {
  EpochView view = Epoch({"a", "b"}, {{"a", kHalted, 3, 7}, {"b", kHalted, 3, 7}});
  view.now = view.begun_at + absl::Milliseconds(700);
  view.fruitless = 2;
  EXPECT_EQ(DecideEpoch(view).kind, Kind::kBegin);
  view.fruitless = 4;
  EXPECT_EQ(DecideEpoch(view).kind, Kind::kSettle);
  view.now = view.begun_at + absl::Milliseconds(900);
  EXPECT_EQ(DecideEpoch(view).kind, Kind::kBegin);
  view.fruitless = 30;
  EXPECT_EQ(DecideEpoch(view).kind, Kind::kSettle);
  view.now = view.begun_at + absl::Seconds(11);
  EXPECT_EQ(DecideEpoch(view).kind, Kind::kBegin);
}

// --- links

TEST(EpochPolicyTest, OfTwoThatLostEachOtherOneIsLeftOut) {
  EpochView view =
      Epoch({"a", "b", "c"},
            {{"a", kHalted, 3, 7, {0}, "b"}, {"b", kHalted, 3, 7, {1}, "a"}, {"c", kHalted, 3, 7, {2, 3}, "b"}});
  Of(view, "a").speed = 1;
  Of(view, "b").speed = 2;
  const EpochDecision decision = DecideEpoch(view);
  ASSERT_EQ(decision.kind, Kind::kBegin);
  EXPECT_THAT(decision.rifts, ElementsAre(Rift{"a", "b"}));
  EXPECT_THAT(decision.plan.members, ElementsAre("b", "c"));
  EXPECT_THAT(decision.plan.owners, ElementsAre(0, 0, 1, 1));
  EXPECT_THAT(decision.lost, IsEmpty());
}

TEST(EpochPolicyTest, WhoIsLeftOutIsTakenInAgainAfterAPause) {
  EpochView view = Epoch({"b", "c"}, {{"a", kHalted, 2, 7}, {"b", kRunning, 3, 9}, {"c", kRunning, 3, 9}});
  Of(view, "a").left_out_until = kLater + absl::Seconds(1);
  EXPECT_EQ(DecideEpoch(view).kind, Kind::kGoOn);
  view.now += absl::Seconds(1);
  EXPECT_EQ(DecideEpoch(view).kind, Kind::kPause);
}

TEST(EpochPolicyTest, ADeathExplainsWhatOthersLost) {
  EpochView view =
      Epoch({"a", "b", "c"}, {{"a", kHalted, 3, 7, {}, "b"}, {"b", kHalted, 3, 7, {}, "a"}, {"c", kRunning, 3}});
  Kill(view, "c");
  const EpochDecision decision = DecideEpoch(view);
  ASSERT_EQ(decision.kind, Kind::kBegin);
  EXPECT_THAT(decision.rifts, IsEmpty());
  EXPECT_THAT(decision.plan.members, ElementsAre("a", "b"));
}

// As it is after a cut: one end noticed, and told everybody, the other end too, which had noticed nothing of its own
// yet.
TEST(EpochPolicyTest, WhoWasToldToBeLostNamesWhomItDoesNotHear) {
  EpochView view = Epoch(
      {"a", "b", "c"}, {{"a", kHalted, 3, 7, {0}, "b"}, {"b", kHalted, 3, 7, {1}}, {"c", kHalted, 3, 7, {2, 3}, "b"}});
  EpochDecision decision = DecideEpoch(view);
  ASSERT_EQ(decision.kind, Kind::kBegin);
  EXPECT_THAT(decision.plan.members, ElementsAre("a", "b", "c"));
  EXPECT_THAT(decision.rifts, IsEmpty());
  EXPECT_THAT(decision.doubts, ElementsAre(Rift{"a", "b"}, Rift{"b", "c"}));

  Of(view, "b").standing.add_unheard_nodes("a");
  decision = DecideEpoch(view);
  ASSERT_EQ(decision.kind, Kind::kBegin);
  EXPECT_THAT(decision.plan.members, ElementsAre("a", "c"));
  EXPECT_THAT(decision.rifts, ElementsAre(Rift{"b", "a"}));
  EXPECT_THAT(decision.doubts, IsEmpty());
}

TEST(EpochPolicyTest, ALinkThatBreaksAgainIsNotTriedAThirdTime) {
  EpochView view = Epoch({"a", "b"}, {{"a", kHalted, 3, 7, {0}, "b"}, {"b", kHalted, 3, 7, {1}}});
  view.doubts = {{"b", "a"}};
  const EpochDecision decision = DecideEpoch(view);
  ASSERT_EQ(decision.kind, Kind::kBegin);
  EXPECT_THAT(decision.rifts, ElementsAre(Rift{"b", "a"}));
  EXPECT_THAT(decision.plan.members, ElementsAre("a"));
  EXPECT_THAT(decision.plan.owners, ElementsAre(0, 0, 0, 0));
}

struct RiftCase {
  const char* what;
  std::vector<LinkClaim> claims;
  std::vector<Rift> before;
  std::vector<Rift> rifts;
  std::vector<Rift> doubts = {};
};

TEST(RiftTest, WhoIsToGo) {
  using Claims = std::vector<LinkClaim>;
  const Claims one_sided = {{"a", "b", 1}, {"b", "", 1}};
  const Claims halves = {{"a", "c", 1, {"c", "d", "e"}},
                         {"b", "c", 1, {"c", "d", "e"}},
                         {"c", "a", 1, {"a", "b"}},
                         {"d", "a", 1, {"a", "b"}},
                         {"e", "", 1, {"a", "b"}}};
  const std::vector<RiftCase> cases = {
      {"nobody says anything", {{"a", "", 1}, {"b", "", 1}}, {}, {}},
      {"of equals the later", {{"a", "b", 1}, {"b", "a", 1}}, {}, {{"b", "a"}}},
      {"the slower", {{"a", "b", 1}, {"b", "a", 2}}, {}, {{"a", "b"}}},
      {"one-sided, for the first time", one_sided, {}, {}, {{"a", "b"}}},
      {"one-sided, again", one_sided, {{"b", "a"}}, {{"b", "a"}}},
      {"one-sided, after another", one_sided, {{"b", "c"}}, {}, {{"a", "b"}}},
      {"told, and unheard", {{"a", "b", 1}, {"b", "", 1, {"a"}}, {"c", "b", 1}}, {}, {{"b", "a"}}},
      {"unheard by both, as a third was lost", {{"a", "", 2, {"b"}}, {"b", "", 1, {"a"}}}, {}, {{"b", "a"}}},
      {"a chain: only the pair", {{"a", "b", 1}, {"b", "c", 1}, {"c", "b", 1}}, {}, {{"c", "b"}}},
      {"a chain: only its end", {{"a", "b", 9}, {"b", "c", 5}, {"c", "", 1}}, {}, {}, {{"b", "c"}}},
      {"cut off from two", {{"a", "b", 9}, {"b", "a", 1}, {"c", "a", 1}}, {}, {{"b", "a"}}},
      {"two pairs", {{"a", "b", 1}, {"b", "a", 1}, {"c", "d", 1}, {"d", "c", 1}}, {}, {{"b", "a"}, {"d", "c"}}},
      {"two lost a third, again", {{"a", "", 9}, {"b", "a", 1}, {"c", "a", 1}}, {{"a", "b"}, {"a", "c"}}, {{"a", "b"}}},
      {"the smaller half goes", halves, {}, {{"a", "c"}, {"b", "c"}}},
      {"of a stranger", {{"a", "x", 1}, {"b", "", 1}}, {}, {}},
      {"of itself", {{"a", "a", 1}, {"b", "", 1}}, {}, {}},
  };
  for (const RiftCase& given : cases) {
    const BrokenLinks broken = FindRifts(given.claims, given.before);
    EXPECT_EQ(broken.rifts, given.rifts) << given.what;
    EXPECT_EQ(broken.doubts, given.doubts) << given.what;
  }
}

TEST(LinkDoubtsTest, LastUntilBothHaveServedForAWhile) {
  LinkDoubts doubts(absl::Seconds(60));
  doubts.Add({{"a", "b"}, {"b", "a"}, {"b", "c"}});
  EXPECT_THAT(doubts.pairs(), ElementsAre(Rift{"a", "b"}, Rift{"b", "c"}));
  doubts.Serve({"a", "b", "c"}, absl::Seconds(59));
  doubts.Serve({"a", "c"}, absl::Seconds(60));
  EXPECT_THAT(doubts.pairs(), ElementsAre(Rift{"a", "b"}, Rift{"b", "c"}));
  doubts.Serve({"d", "c", "b"}, absl::Seconds(60));
  EXPECT_THAT(doubts.pairs(), ElementsAre(Rift{"a", "b"}));
}

TEST(SlotTest, WhoHoldsOneThatAnotherKeepsLosesAll) {
  EXPECT_EQ(KeptSlots(4, {{0}, {0, 1}, {2}}), (std::vector<Slots>{{}, {0, 1}, {2}}));
  EXPECT_EQ(KeptSlots(4, {{0, 1}, {1, 2}, {3}}), (std::vector<Slots>{{0, 1}, {}, {3}}));
  EXPECT_EQ(KeptSlots(4, {{4}, {}}), (std::vector<Slots>{{}, {}}));  // there is no such slot
}

// --- beginnings, newcomers, leaving

TEST(EpochPolicyTest, TheFirstEpochWaitsAMomentForEverybody) {
  EpochView view = Epoch({}, {{"a", kReady}, {"b", kPreparing}});
  view.epoch = 0;
  view.now = kBegun + absl::Seconds(2);
  EXPECT_EQ(DecideEpoch(view).kind, Kind::kPrepare);
  view.now = kBegun + absl::Seconds(4);
  EXPECT_THAT(DecideEpoch(view).plan.members, ElementsAre("a"));
  view.now = kBegun + absl::Seconds(2);
  Of(view, "b").standing.set_phase(kReady);
  Of(view, "b").speed = 3;
  const EpochDecision decision = DecideEpoch(view);
  ASSERT_EQ(decision.kind, Kind::kBegin);
  EXPECT_THAT(decision.plan.members, ElementsAre("b", "a"));  // the faster one leads
  EXPECT_THAT(decision.plan.owners, UnorderedElementsAre(0, 0, 0, 1));
}

TEST(EpochPolicyTest, NobodyIsThere) {
  EXPECT_EQ(DecideEpoch(Epoch({}, {})).kind, Kind::kWait);
  EpochView view = Epoch({}, {{"a", kReady}});
  Of(view, "a").left_out_until = kLater + absl::Seconds(1);
  EXPECT_EQ(DecideEpoch(view).kind, Kind::kWait);
  EXPECT_EQ(DecideEpoch(Epoch({}, {{"a", kPreparing}})).kind, Kind::kPrepare);
}

TEST(EpochPolicyTest, ANewcomerJoinsAtAStepBoundary) {
  EpochView view = Epoch({"a"}, {{"a", kRunning, 3, 7}, {"b", kPreparing}});
  EXPECT_EQ(DecideEpoch(view).kind, Kind::kGoOn);
  Of(view, "b").standing.set_phase(kReady);
  EXPECT_EQ(DecideEpoch(view).kind, Kind::kPause);
  view.now = kBegun + absl::Milliseconds(500);  // no sooner than that
  EXPECT_EQ(DecideEpoch(view).kind, Kind::kGoOn);
  view = Epoch({"a"}, {{"a", kPaused, 3, 8}, {"b", kReady}});
  const EpochDecision decision = DecideEpoch(view);
  ASSERT_EQ(decision.kind, Kind::kBegin);
  EXPECT_THAT(decision.plan.members, ElementsAre("a", "b"));
  EXPECT_EQ(decision.plan.step, 8u);
  EXPECT_THAT(decision.plan.sources, ElementsAre(Pair("b", "a")));
}

TEST(EpochPolicyTest, EverybodyPausesBeforeTheNextBegins) {
  EpochView view = Epoch({"a", "b"}, {{"a", kPaused, 3, 8}, {"b", kRunning, 3, 7}, {"c", kReady}});
  EXPECT_EQ(DecideEpoch(view).kind, Kind::kSettle);
}

TEST(EpochPolicyTest, ThereIsNoRoomForMoreThanWereAskedForOrThereAreSlots) {
  EpochView view = Epoch({"a"}, {{"a", kRunning, 3, 7}, {"b", kReady}});
  view.ranks_max = 1;
  EXPECT_EQ(DecideEpoch(view).kind, Kind::kGoOn);
  view.ranks_max = 0;
  view.slots = 1;
  EXPECT_EQ(DecideEpoch(view).kind, Kind::kGoOn);
}

TEST(EpochPolicyTest, WhoHasTheNewestStateIsNotCutOff) {
  EpochView view = Epoch({}, {{"a", kReady}, {"b", kHalted, 3, 7}});
  Of(view, "a").speed = 5;
  view.ranks_max = 1;
  const EpochDecision decision = DecideEpoch(view);
  ASSERT_EQ(decision.kind, Kind::kBegin);
  EXPECT_THAT(decision.plan.members, ElementsAre("b"));
  EXPECT_EQ(decision.plan.step, 7u);
}

TEST(EpochPolicyTest, AStateOlderThanTheCheckpointIsFetchedAnew) {
  EpochView view = Epoch({}, {{"a", kHalted, 2, 7}, {"b", kReady, 0, 0}});
  view.checkpoint_step = 8;
  const EpochDecision decision = DecideEpoch(view);
  EXPECT_EQ(decision.kind, Kind::kPrepare);
  EXPECT_THAT(decision.dismissed, UnorderedElementsAre("a", "b"));
  view.checkpoint_step = 7;
  EXPECT_EQ(DecideEpoch(view).kind, Kind::kBegin);
}

TEST(EpochPolicyTest, AWorkerThatLeavesGoesAtAStepBoundary) {
  EpochView view = Epoch({"a", "b"}, {{"a", kRunning, 3, 7}, {"b", kRunning, 3, 7}});
  Of(view, "a").leaving = true;
  EXPECT_EQ(DecideEpoch(view).kind, Kind::kPause);
  view = Epoch({"a", "b"}, {{"a", kPaused, 3, 8}, {"b", kPaused, 3, 8}});
  Of(view, "a").leaving = true;
  const EpochDecision decision = DecideEpoch(view);
  ASSERT_EQ(decision.kind, Kind::kBegin);
  EXPECT_THAT(decision.plan.members, ElementsAre("b"));
  EXPECT_THAT(decision.dismissed, ElementsAre("a"));
}

TEST(EpochPolicyTest, WhoLeavesWithTheNewestStateHandsItOverFirst) {
  EpochView view = Epoch({"a"}, {{"a", kPaused, 3, 8}, {"b", kReady}});
  Of(view, "a").leaving = true;
  const EpochDecision decision = DecideEpoch(view);
  ASSERT_EQ(decision.kind, Kind::kBegin);
  EXPECT_THAT(decision.plan.members, ElementsAre("a", "b"));
  EXPECT_THAT(decision.plan.sources, ElementsAre(Pair("b", "a")));
  EXPECT_THAT(decision.dismissed, IsEmpty());
}

TEST(EpochPolicyTest, WhenEverybodyLeavesACheckpointIsMade) {
  EpochView view = Epoch({"a"}, {{"a", kRunning, 3, 7}});
  Of(view, "a").leaving = true;
  EXPECT_EQ(DecideEpoch(view).kind, Kind::kStop);
  Of(view, "a").standing.set_phase(kPaused);
  const EpochDecision decision = DecideEpoch(view);
  EXPECT_EQ(decision.kind, Kind::kWait);
  EXPECT_THAT(decision.dismissed, ElementsAre("a"));
}

// --- endings

TEST(EpochPolicyTest, TheModelIsExportedOnceEverybodyIsThere) {
  EpochView view = Epoch({"a", "b"}, {{"a", kRunning, 3, 9}, {"b", kFinished, 3, 10}});
  EXPECT_EQ(DecideEpoch(view).kind, Kind::kSettle);
  Of(view, "a").standing.set_phase(kFinished);
  EXPECT_EQ(DecideEpoch(view).exporter, "a");
  Kill(view, "a");
  const EpochDecision decision = DecideEpoch(view);
  EXPECT_EQ(decision.kind, Kind::kFinish);
  EXPECT_EQ(decision.exporter, "b");
}

TEST(EpochPolicyTest, WhoIsDoneExportsThoughOthersBrokeInTheLastStep) {
  EpochView view = Epoch({"a", "b"}, {{"a", kHalted, 3, 9, {0}, "b"}, {"b", kFinished, 3, 10}});
  const EpochDecision decision = DecideEpoch(view);
  EXPECT_EQ(decision.kind, Kind::kFinish);
  EXPECT_EQ(decision.exporter, "b");
}

TEST(EpochPolicyTest, AJobThatIsCancelledStops) {
  EpochView view = Epoch({"a", "b"}, {{"a", kRunning, 3, 7}, {"b", kRunning, 3, 7}});
  view.stop = true;
  EXPECT_EQ(DecideEpoch(view).kind, Kind::kStop);
  Of(view, "a").standing.set_phase(kPaused);
  EXPECT_EQ(DecideEpoch(view).kind, Kind::kSettle);
  Of(view, "b").standing.set_phase(kPaused);
  EXPECT_EQ(DecideEpoch(view).kind, Kind::kStopped);
  view = Epoch({"a", "b"}, {{"a", kHalted, 3, 7}, {"b", kRunning, 3, 7}});
  view.stop = true;
  EXPECT_EQ(DecideEpoch(view).kind, Kind::kHalt);
  Of(view, "b").standing.set_phase(kHalted);
  EXPECT_EQ(DecideEpoch(view).kind, Kind::kStopped);
  view = Epoch({}, {{"a", kPreparing}});
  view.stop = true;
  EXPECT_EQ(DecideEpoch(view).kind, Kind::kStopped);
}

}  // namespace
}  // namespace enigma::coordinator
