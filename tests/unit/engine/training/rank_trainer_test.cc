#include "engine/training/rank_trainer.h"

#include <cmath>
#include <cstring>
#include <functional>
#include <latch>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/collective/in_process_links.h"
#include "engine/collective/ring_communicator.h"
#include "engine/spec/slot_shares.h"
#include "tests/unit/engine/training/trained_ranks.h"

namespace enigma::engine {
namespace {

using testing::Alone;
using ::testing::ElementsAre;
using testing::ExpectSameState;
using ::testing::HasSubstr;
using testing::OnRanks;
using testing::Rank;
using testing::SmallConfig;
using testing::SmallLora;

TEST(RankTrainer, LearnsAndTellsWhatAStepCameTo) {
  const TrainingConfig config = SmallConfig();
  Rank rank(config, 1);
  std::vector<double> losses;
  for (uint64_t step = 0; step < config.steps; ++step) {
    const absl::StatusOr<StepResult> result = rank.trainer->Step(nullptr, std::vector<uint32_t>(config.slots, 0), 17);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_EQ(result->step, step + 1);
    EXPECT_GT(result->tokens, 20U);
    EXPECT_GT(result->gradient_norm, 0);
    EXPECT_EQ(result->control, 17U);
    EXPECT_EQ(result->redone, 0U);
    EXPECT_THAT(result->slots, ElementsAre(config.slots));
    losses.push_back(result->loss);
  }
  EXPECT_NEAR(losses.front(), std::log(61.0), 0.1);
  EXPECT_LT(losses.back(), losses.front() - 0.5);
  EXPECT_EQ(rank.trainer->NextOwners(), std::vector<uint32_t>(config.slots, 0));
}

void ExpectTheSameBitsOfAnyRanks(const TrainingConfig& config) {
  const std::unique_ptr<Rank> alone = Alone(config, config.steps);
  const absl::StatusOr<double> expected_loss = alone->trainer->Validate(nullptr);
  ASSERT_TRUE(expected_loss.ok()) << expected_loss.status();
  for (const uint32_t ranks : {2U, 3U, 5U}) {
    InProcessNetwork network(ranks);
    OnRanks(ranks, [&](uint32_t number) {
      Rank rank(config, 1 + static_cast<int>(number % 2));
      const std::unique_ptr<Communicator> communicator = MakeRingCommunicator(network.Join(number));
      std::vector<uint32_t> owners;
      for (uint32_t slot = 0; slot < config.slots; ++slot) owners.push_back(slot % ranks == 1 ? 1 : 0);
      for (uint64_t step = 0; step < config.steps; ++step) {
        const absl::StatusOr<StepResult> result =
            rank.trainer->Step(communicator.get(), owners, number == 0 ? step : 0);
        ASSERT_TRUE(result.ok()) << result.status();
        EXPECT_EQ(result->control, step);
        owners = rank.trainer->NextOwners();
      }
      ExpectSameState(rank.trainer->state(), alone->trainer->state());
      const absl::StatusOr<double> loss = rank.trainer->Validate(communicator.get());
      ASSERT_TRUE(loss.ok()) << loss.status();
      EXPECT_EQ(*loss, *expected_loss);
    });
  }
}

TEST(RankTrainer, AnyNumberOfRanksAndAnySplitGiveTheSameBits) { ExpectTheSameBitsOfAnyRanks(SmallConfig()); }

TEST(RankTrainer, AnyNumberOfRanksGivesTheSameBitsOfLora) {
  ExpectTheSameBitsOfAnyRanks(SmallLora());
  ExpectTheSameBitsOfAnyRanks(SmallLora({"ffn_down"}));
}

TEST(RankTrainer, AnyNumberOfRanksGivesTheSameBitsWithBf16Products) {
  for (TrainingConfig config : {SmallConfig(), SmallLora()}) {
    const std::unique_ptr<Rank> f32 = Alone(config, 1);
    config.precision = ProductPrecision::kBf16;
    const std::unique_ptr<Rank> bf16 = Alone(config, 1);
    EXPECT_NE(std::memcmp(f32->trainer->state().weights.data(), bf16->trainer->state().weights.data(),
                          f32->trainer->state().weights.size() * sizeof(float)),
              0);
    ExpectTheSameBitsOfAnyRanks(config);
  }
}

TEST(RankTrainer, WithBf16ProductsTheLossFallsAsWithF32) {
  TrainingConfig config = SmallConfig();
  config.steps = 40;
  const double f32 = *Alone(config, config.steps)->trainer->Validate(nullptr);
  config.precision = ProductPrecision::kBf16;
  const double before = *Alone(config, 0)->trainer->Validate(nullptr);
  const double bf16 = *Alone(config, config.steps)->trainer->Validate(nullptr);
  EXPECT_LT(f32, before - 0.5);
  EXPECT_NEAR(bf16, f32, 0.02 * f32);
}

// A slot of several sequences, and a slot of each: one batch either way.
TEST(RankTrainer, AccumulationOverRaggedSlotsIsOneLargeBatch) {
  TrainingConfig config = SmallConfig();
  const std::unique_ptr<Rank> fine = Alone(config, 1);
  config.slots = 1;
  const std::unique_ptr<Rank> coarse = Alone(config, 1);
  EXPECT_EQ(fine->trainer->state().tokens, coarse->trainer->state().tokens);
  // AdamW's first step is the sign of the gradient: it is the moments that tell.
  const TrainingState& a = fine->trainer->state();
  const TrainingState& b = coarse->trainer->state();
  double difference = 0;
  double size = 0;
  for (size_t i = 0; i < a.first_moments.size(); ++i) {
    difference = std::max(difference, std::fabs(double{a.first_moments[i]} - b.first_moments[i]));
    size = std::max(size, std::fabs(double{a.first_moments[i]}));
  }
  EXPECT_LT(difference, 1e-5 * size);
}

TEST(RankTrainer, SurvivorsComputeOnlyTheLostSlotsAndEndWithTheSameBits) {
  const TrainingConfig config = SmallConfig();
  const std::unique_ptr<Rank> alone = Alone(config, 4);
  constexpr uint32_t kRanks = 3;
  InProcessNetwork first(kRanks);
  InProcessNetwork second(kRanks - 1);
  const std::vector<uint32_t> owners = {0, 0, 1, 1, 2, 2, 2};
  std::latch two_steps(kRanks);  // whose last messages would die with rank 2
  OnRanks(kRanks, [&](uint32_t number) {
    Rank rank(config, 1);
    {
      const std::unique_ptr<Communicator> communicator = MakeRingCommunicator(first.Join(number));
      for (uint64_t step = 0; step < 2; ++step) {
        ASSERT_TRUE(rank.trainer->Step(communicator.get(), owners, 0).ok());
      }
      two_steps.arrive_and_wait();
      if (number == 2) return first.Kill(2);  // in its third step
      const absl::StatusOr<StepResult> broken = rank.trainer->Step(communicator.get(), owners, 0);
      ASSERT_FALSE(broken.ok());
      EXPECT_EQ(rank.trainer->state().step, 2U);
    }
    const std::vector<uint32_t> kept = number == 0 ? std::vector<uint32_t>{0, 1} : std::vector<uint32_t>{2, 3};
    EXPECT_EQ(rank.trainer->held(), kept);
    const std::unique_ptr<Communicator> communicator = MakeRingCommunicator(second.Join(number));
    const absl::StatusOr<StepResult> mended =
        rank.trainer->Step(communicator.get(), ShareOutSlots(7, std::vector<double>{1, 1}, {{0, 1}, {2, 3}}), 0);
    ASSERT_TRUE(mended.ok()) << mended.status();
    ASSERT_TRUE(rank.trainer->Step(communicator.get(), rank.trainer->NextOwners(), 0).ok());
    ExpectSameState(rank.trainer->state(), alone->trainer->state());
  });
}

TEST(RankTrainer, ValuesThatDoNotFitAreComputedAgainWithSmallerExponents) {
  const TrainingConfig config = SmallConfig();
  TrainingState state = InitialState(config.spec, ParameterLayout(config.spec), config.seed);
  state.exponents.assign(state.exponents.size(), 60);
  constexpr uint32_t kRanks = 2;
  std::vector<std::unique_ptr<Rank>> ranks;
  for (uint32_t number = 0; number < kRanks; ++number) ranks.push_back(std::make_unique<Rank>(config, 1));
  InProcessNetwork network(kRanks);
  OnRanks(kRanks, [&](uint32_t number) {
    TrainingState own = InitialState(config.spec, ParameterLayout(config.spec), config.seed);
    own.exponents = state.exponents;
    ASSERT_TRUE(ranks[number]->trainer->SetState(std::move(own)).ok());
    const std::unique_ptr<Communicator> communicator = MakeRingCommunicator(network.Join(number));
    const absl::StatusOr<StepResult> result =
        ranks[number]->trainer->Step(communicator.get(), {0, 0, 0, 1, 1, 1, 1}, 0);
    ASSERT_TRUE(result.ok()) << result.status();
    EXPECT_GT(result->redone, 0U);
  });
  ExpectSameState(ranks[0]->trainer->state(), ranks[1]->trainer->state());
  // Coarser or finer units round differently, and that is all.
  const std::unique_ptr<Rank> alone = Alone(config, 1);
  const TrainingState& a = ranks[0]->trainer->state();
  const TrainingState& b = alone->trainer->state();
  for (size_t i = 0; i < a.first_moments.size(); ++i) {
    ASSERT_NEAR(a.first_moments[i], b.first_moments[i], 1e-6);
  }
}

// Says after each Wait that went well how the rank is to see it.
class WatchedCommunicator final : public Communicator {
 public:
  WatchedCommunicator(std::unique_ptr<Communicator> inner, std::function<absl::Status(int wait)> after_wait)
      : inner_(std::move(inner)), after_wait_(std::move(after_wait)) {}
  uint32_t rank() const override { return inner_->rank(); }
  uint32_t size() const override { return inner_->size(); }
  absl::Status StartSum(std::span<int64_t> values) override { return inner_->StartSum(values); }
  absl::Status Wait() override {
    const absl::Status status = inner_->Wait();
    return status.ok() ? after_wait_(waits_++) : status;
  }
  absl::Status Broadcast(std::span<uint8_t> bytes, uint32_t root) override { return inner_->Broadcast(bytes, root); }
  void Abort(const absl::Status& reason) override { inner_->Abort(reason); }
  Traffic traffic() const override { return inner_->traffic(); }

 private:
  const std::unique_ptr<Communicator> inner_;
  const std::function<absl::Status(int wait)> after_wait_;
  int waits_ = 0;
};

TrainingState StateWithTooLargeExponents(const TrainingConfig& config) {
  TrainingState state = InitialState(config.spec, ParameterLayout(config.spec), config.seed);
  state.exponents.assign(state.exponents.size(), 60);
  return state;
}

// Rank 2 dies when everybody has heard `heard` times that values did not fit, or all but rank 1 have; then rank 0 goes
// on with rank 1 and with a newcomer that has rank 0's state.
void ExpectTheSameBitsThoughComputingAgainBreaks(int heard, bool also_by_rank_1) {
  const TrainingConfig config = SmallConfig();
  Rank undisturbed(config, 1);
  ASSERT_TRUE(undisturbed.trainer->SetState(StateWithTooLargeExponents(config)).ok());
  for (int step = 0; step < 3; ++step) {
    const auto result = undisturbed.trainer->Step(nullptr, std::vector<uint32_t>(config.slots, 0), 0);
    ASSERT_TRUE(result.ok()) << result.status();
    if (step == 0) {
      ASSERT_GE(result->redone, static_cast<uint32_t>(heard)) << "it would not break while computed again";
    }
  }
  InProcessNetwork first(3);
  InProcessNetwork second(3);
  std::latch last_words(3);
  std::latch broken(2);
  std::vector<int32_t> exponents_of_rank_0;
  OnRanks(3, [&](uint32_t number) {
    auto rank = std::make_unique<Rank>(config, 1);
    ASSERT_TRUE(rank->trainer->SetState(StateWithTooLargeExponents(config)).ok());
    {
      WatchedCommunicator communicator(MakeRingCommunicator(first.Join(number)), [&](int wait) -> absl::Status {
        if (wait + 1 < heard) return absl::OkStatus();
        last_words.arrive_and_wait();
        if (number == 2) first.Kill(2);
        const bool goes_on = number == 0 || (number == 1 && also_by_rank_1);
        return goes_on ? absl::OkStatus() : absl::UnavailableError("a link broke");
      });
      ASSERT_FALSE(rank->trainer->Step(&communicator, {0, 0, 1, 1, 2, 2, 2}, 0).ok());
      if (number < 2) {
        EXPECT_EQ(rank->trainer->state().exponents, std::vector<int32_t>(rank->trainer->state().exponents.size(), 60));
      }
    }
    const bool holds = number == 1 && heard == 1 && !also_by_rank_1;
    if (number < 2) {
      EXPECT_EQ(rank->trainer->held(), holds ? std::vector<uint32_t>({2, 3}) : std::vector<uint32_t>());
    }
    if (number == 0) exponents_of_rank_0 = rank->trainer->state().exponents;
    if (number < 2) broken.count_down();
    if (number == 2) {
      broken.wait();
      rank = std::make_unique<Rank>(config, 1);
      TrainingState taken = InitialState(config.spec, ParameterLayout(config.spec), config.seed);
      taken.exponents = exponents_of_rank_0;
      ASSERT_TRUE(rank->trainer->SetState(std::move(taken)).ok());
    }
    const std::unique_ptr<Communicator> communicator = MakeRingCommunicator(second.Join(number));
    std::vector<uint32_t> owners = {0, 2, 1, 1, 0, 2, 0};
    for (int step = 0; step < 3; ++step) {
      const auto result = rank->trainer->Step(communicator.get(), owners, 0);
      ASSERT_TRUE(result.ok()) << result.status();
      owners = rank->trainer->NextOwners();
    }
    ExpectSameState(rank->trainer->state(), undisturbed.trainer->state());
  });
}

TEST(RankTrainer, AStepThatBreaksWhileComputedAgainIsBegunAnew) {
  for (const int heard : {1, 2}) {
    for (const bool also_by_rank_1 : {true, false}) {
      SCOPED_TRACE(heard * 10 + (also_by_rank_1 ? 1 : 0));
      ExpectTheSameBitsThoughComputingAgainBreaks(heard, also_by_rank_1);
    }
  }
}

TEST(RankTrainer, RanksWithOtherExponentsThanEachOtherDoNotGoOn) {
  const TrainingConfig config = SmallConfig();
  InProcessNetwork network(2);
  OnRanks(2, [&](uint32_t number) {
    Rank rank(config, 1);
    TrainingState state = InitialState(config.spec, ParameterLayout(config.spec), config.seed);
    if (number == 1) state.exponents[3] -= 8;
    ASSERT_TRUE(rank.trainer->SetState(std::move(state)).ok());
    const std::unique_ptr<Communicator> communicator = MakeRingCommunicator(network.Join(number));
    const absl::StatusOr<StepResult> result = rank.trainer->Step(communicator.get(), {0, 0, 0, 0, 1, 1, 1}, 0);
    EXPECT_THAT(std::string(result.status().message()), HasSubstr("exponents"));
    EXPECT_EQ(rank.trainer->state().step, 0U);
  });
}

TEST(RankTrainer, ALossThatIsNotFiniteNamesStepAndSlotAndChangesNothing) {
  const TrainingConfig config = SmallConfig();
  Rank rank(config, 1);
  TrainingState state = InitialState(config.spec, ParameterLayout(config.spec), config.seed);
  state.weights[5] = std::numeric_limits<float>::infinity();
  state.step = 3;
  ASSERT_TRUE(rank.trainer->SetState(std::move(state)).ok());
  const absl::StatusOr<StepResult> result = rank.trainer->Step(nullptr, std::vector<uint32_t>(config.slots, 0), 0);
  EXPECT_EQ(result.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(result.status().message()), HasSubstr("step 4, slot "));
  EXPECT_EQ(rank.trainer->state().step, 3U);
  EXPECT_TRUE(rank.trainer->held().empty());
}

TEST(RankTrainer, RefusesWhatDoesNotFitTogether) {
  TrainingConfig config = SmallConfig();
  Rank rank(config, 1);
  EXPECT_FALSE(rank.trainer->Step(nullptr, {0, 0}, 0).ok());
  EXPECT_FALSE(rank.trainer->Step(nullptr, std::vector<uint32_t>(config.slots, 1), 0).ok());
  EXPECT_FALSE(rank.trainer->SetState(TrainingState{}).ok());
}

}  // namespace
}  // namespace enigma::engine
