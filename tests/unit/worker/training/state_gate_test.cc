#include "worker/training/state_gate.h"

#include <atomic>
#include <optional>
#include <thread>

#include <gtest/gtest.h>

#include "tests/support/eventually.h"
#include "worker/training/epoch_communicator.h"

namespace enigma::worker {
namespace {

using enigma::testing::Eventually;

engine::TrainingState At(uint64_t step) {
  engine::TrainingState state;
  state.step = step;
  return state;
}

TEST(StateGate, ReadersGetTheStateOfTheStepTheyAskFor) {
  StateGate gate;
  const engine::TrainingState state = At(7);
  EXPECT_TRUE(absl::IsFailedPrecondition(gate.Enter(7, absl::ZeroDuration(), [] {}).status())) << "closed";
  gate.Open(state);
  const auto lease = gate.Enter(7, absl::ZeroDuration(), [] {});
  ASSERT_TRUE(lease.ok()) << lease.status();
  EXPECT_EQ(&lease->state(), &state);
  EXPECT_TRUE(absl::IsFailedPrecondition(gate.Enter(6, absl::ZeroDuration(), [] {}).status())) << "the past";
  EXPECT_TRUE(absl::IsFailedPrecondition(gate.Enter(8, absl::Milliseconds(1), [] {}).status())) << "the future";
}

TEST(StateGate, AReaderWaitsForAStepThatIsNearlyDone) {
  StateGate gate;
  engine::TrainingState state = At(7);
  gate.Open(state);
  std::thread reader([&] {
    const auto lease = gate.Enter(8, absl::Seconds(30), [] {});
    EXPECT_TRUE(lease.ok()) << lease.status();
  });
  gate.Close();
  state.step = 8;
  gate.Open(state);
  reader.join();
}

TEST(StateGate, ClosingWaitsForReadersAndTellsThemToGo) {
  StateGate gate;
  const engine::TrainingState state = At(3);
  gate.Open(state);
  std::atomic<bool> told{false};
  std::optional<StateGate::Lease> lease;
  {
    auto entered = gate.Enter(3, absl::ZeroDuration(), [&] { told = true; });
    ASSERT_TRUE(entered.ok());
    lease.emplace(*std::move(entered));
  }
  std::atomic<bool> closed{false};
  std::thread closing([&] {
    gate.Close();
    closed = true;
  });
  ASSERT_TRUE(Eventually([&] { return told.load(); }));
  absl::SleepFor(absl::Milliseconds(20));
  EXPECT_FALSE(closed) << "the state could change under the reader's eyes";
  lease.reset();
  closing.join();
  EXPECT_TRUE(closed);
}

TEST(StateGate, AnEndedRankHasNoState) {
  StateGate gate;
  const engine::TrainingState state = At(3);
  gate.Open(state);
  gate.End();
  gate.Open(state);
  EXPECT_TRUE(absl::IsNotFound(gate.Enter(3, absl::Seconds(30), [] {}).status()));
}

TEST(EpochCommunicator, TheStateIsReadableUntilTheSumsAreThere) {
  StateGate gate;
  const engine::TrainingState state = At(3);
  gate.Open(state);
  EpochCommunicator alone(nullptr, gate);
  EXPECT_EQ(alone.size(), 1U);
  int64_t value = 5;
  ASSERT_TRUE(alone.StartSum({&value, 1}).ok());
  EXPECT_TRUE(gate.Enter(3, absl::ZeroDuration(), [] {}).ok());
  ASSERT_TRUE(alone.Wait().ok());
  EXPECT_EQ(value, 5);
  EXPECT_FALSE(gate.Enter(3, absl::ZeroDuration(), [] {}).ok());
  EXPECT_TRUE(alone.error().ok());
}

TEST(EpochCommunicator, RemembersWhatBrokeIt) {
  StateGate gate;
  EpochCommunicator alone(nullptr, gate);
  alone.Abort(absl::AbortedError("first"));
  alone.Abort(absl::AbortedError("second"));
  EXPECT_EQ(alone.Wait().message(), "first");
  EXPECT_EQ(alone.error().message(), "first");
}

}  // namespace
}  // namespace enigma::worker
