// Who may go to make room, and how long others wait.
#include "coordinator/background/specialist_keeper.h"

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/synchronization/mutex.h>
#include <gtest/gtest.h>

#include "tests/support/eventually.h"
#include "tests/unit/coordinator/bare_plane.h"

namespace enigma::coordinator {
namespace {

using enigma::testing::Eventually;
using Standing = SpecialistKeeper::Standing;

// Models that are wanted, with replicas that are what the tests say.
class SpecialistKeeperTest : public BarePlaneTest {
 protected:
  // Loaded because a request wanted it; in no service yet.
  void Place(const std::string& model, uint64_t id, bool on_demand = true) {
    WantedPlacement wanted;
    wanted.id = id;
    wanted.model = model;
    wanted.options.set_on_demand(on_demand);
    ASSERT_TRUE(wanted_.Add(wanted).ok());
  }
  void Serve(const std::string& model, uint64_t id) {
    auto described = std::make_shared<Model>();
    described->name = model;
    Replica replica;
    replica.id = id;
    replica.wanted = id;
    replica.model = described;
    replicas_.Add(replica);
    ASSERT_TRUE(replicas_.MarkReady(id).ok());
  }
  SpecialistKeeper& Keeper(SpecialistKeeper::Options options = {}) {
    return *(keeper_ = std::make_unique<SpecialistKeeper>(plane_, registry_, options));
  }
  // What came of wanting a model.
  struct Outcome {
    absl::Mutex mutex;
    std::optional<absl::StatusOr<SpecialistKeeper::Hold>> result;
    std::optional<absl::StatusOr<SpecialistKeeper::Hold>> Get() {
      absl::MutexLock lock(&mutex);
      return result;
    }
  };
  std::shared_ptr<Outcome> Want(const std::string& model, std::function<bool()> gone = {}) {
    auto outcome = std::make_shared<Outcome>();
    keeper_->Want(model, {.deadline = absl::InfiniteDuration(), .gone = std::move(gone)},
                  [outcome](const absl::StatusOr<SpecialistKeeper::Hold>& hold) {
                    absl::MutexLock lock(&outcome->mutex);
                    outcome->result = hold;
                  });
    return outcome;
  }
  // The error that it ended with; a wait without an end fails the test.
  absl::Status EndOf(const std::shared_ptr<Outcome>& outcome) {
    EXPECT_TRUE(Eventually([&] { return outcome->Get().has_value(); }));
    return outcome->Get().value_or(absl::UnknownError("no end")).status();
  }

  SpecialistRegistry registry_;
  std::unique_ptr<SpecialistKeeper> keeper_;
};

TEST_F(SpecialistKeeperTest, WhatIsHeldIsNotClaimedAndWhatIsClaimedIsNotHeld) {
  Place("coder", 1);
  Serve("coder", 1);
  SpecialistKeeper& keeper = Keeper();
  auto held = Want("coder");
  ASSERT_TRUE(EndOf(held).ok()) << "it serves";
  EXPECT_FALSE(keeper.Claim("coder"));
  held.reset();
  ASSERT_TRUE(keeper.Claim("coder"));
  EXPECT_EQ(keeper.StandingOf("coder"), Standing::kComes) << "not before it is gone, or stays after all";
  const auto waiting = Want("coder");
  EXPECT_FALSE(waiting->Get()) << "it is going";
  keeper.Release("coder");
  EXPECT_TRUE(EndOf(waiting).ok());
  EXPECT_FALSE(keeper.Claim("coder"));
}

TEST_F(SpecialistKeeperTest, ALoadedModelIsHeldBeforeWhoWaitsForItIsTold) {
  Place("coder", 1);
  SpecialistKeeper& keeper = Keeper({.look_every = absl::Hours(1)});
  const auto waiting = Want("coder");
  Serve("coder", 1);
  EXPECT_FALSE(keeper.Claim("coder")) << "somebody waits for it";
  keeper.Stop();
}

TEST_F(SpecialistKeeperTest, WhatIsNamedIsHeldAndNamesOfNoModelAreNotKept) {
  Place("coder", 1);
  Serve("coder", 1);
  SpecialistKeeper& keeper = Keeper();
  EXPECT_EQ(keeper.Use("absent"), nullptr);
  auto model = std::make_shared<Model>();
  model->name = "coder";
  model->manifest_json = "{}";
  ASSERT_TRUE(models_.Add(model).ok());
  SpecialistKeeper::Hold hold = keeper.Use("coder");
  EXPECT_FALSE(keeper.Claim("coder"));
  hold.reset();
  EXPECT_TRUE(keeper.Claim("coder"));
}

TEST_F(SpecialistKeeperTest, WhatAnOperatorWantsIsNotClaimed) {
  Place("coder", 1);
  Place("talker", 2, /*on_demand=*/false);
  Serve("coder", 1);
  Serve("talker", 2);
  SpecialistKeeper& keeper = Keeper();
  EXPECT_FALSE(keeper.Claim("talker"));
  ASSERT_TRUE(wanted_.KeepForGood(1).ok());
  EXPECT_FALSE(keeper.Claim("coder"));
  WantedRegistry restored(store_);
  ASSERT_TRUE(restored.Restore().ok());
  EXPECT_FALSE(restored.List().at(0).options.on_demand()) << "also after a restart";
}

TEST_F(SpecialistKeeperTest, OnlySoManyWaitForOneModel) {
  Place("coder", 1, /*on_demand=*/false);  // lost: an operator's, which others place again
  Keeper({.waiting_max = 2});
  const std::vector<std::shared_ptr<Outcome>> two = {Want("coder"), Want("coder")};
  const auto third = Want("coder");
  ASSERT_TRUE(third->Get().has_value()) << "at once";
  EXPECT_EQ(EndOf(third).code(), absl::StatusCode::kResourceExhausted);
  for (const auto& one : two) EXPECT_FALSE(one->Get());
  Serve("coder", 1);
  for (const auto& one : two) EXPECT_TRUE(EndOf(one).ok());
}

TEST_F(SpecialistKeeperTest, WhoIsGoneIsNotKept) {
  Place("coder", 1, /*on_demand=*/false);
  Keeper();
  std::atomic<bool> gone = false;
  const auto waiting = Want("coder", [&gone] { return gone.load(); });
  const auto staying = Want("coder");
  gone = true;
  EXPECT_EQ(EndOf(waiting).code(), absl::StatusCode::kCancelled);
  EXPECT_FALSE(staying->Get());
  keeper_->Stop();
  EXPECT_EQ(EndOf(staying).code(), absl::StatusCode::kUnavailable);
}

TEST_F(SpecialistKeeperTest, WhatIsLostIsWaitedForForAWhile) {
  Place("coder", 1, /*on_demand=*/false);
  wanted_.SetReason(1, "node n0 is gone");
  Keeper({.lost_wait = absl::Milliseconds(20)});
  const absl::Status end = EndOf(Want("coder"));
  EXPECT_EQ(end.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_NE(end.message().find("node n0 is gone"), absl::string_view::npos) << end;
}

TEST_F(SpecialistKeeperTest, WhatCouldNotBePlacedAgainIsTakenOver) {
  Place("coder", 1);
  wanted_.SetUnplaceable(1, "no node has room");
  Keeper();
  const absl::Status end = EndOf(Want("coder"));
  EXPECT_EQ(end.code(), absl::StatusCode::kFailedPrecondition) << "there is no such model to be loaded: " << end;
  EXPECT_TRUE(wanted_.List().empty()) << "nobody but the keeper places it";
}

}  // namespace
}  // namespace enigma::coordinator
