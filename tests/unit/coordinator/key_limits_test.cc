// What a key may take: its limits, and what a request is charged.
#include "coordinator/scheduling/key_limits.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/gateway/caller.h"
#include "coordinator/gateway/request_admission.h"
#include "tests/support/message_of.h"
#include "tests/unit/coordinator/set_clock.h"

namespace enigma::coordinator {
namespace {

using ::enigma::testing::MessageOf;

using ::testing::HasSubstr;

ApiKey Limited(KeyQuota quota) {
  ApiKey key;
  key.name = "k";
  key.id = "0123456789ab";
  key.quota = quota;
  return key;
}

// One request of a table: when it comes, what it is estimated to take, and how long it is told to wait (0: let in).
struct Arrival {
  absl::Duration at;
  uint64_t estimated = 0;
  absl::Duration wait;
  uint64_t used = 0;  // it ends at once with so many
};

TEST(KeyLimitsTest, BucketsFillEvenlyAndSettleWhatWasUsed) {
  struct Case {
    const char* what;
    KeyQuota quota;
    std::vector<Arrival> arrivals;
  };
  const absl::Duration s = absl::Seconds(1);
  const absl::Duration none = absl::ZeroDuration();
  const std::vector<Case> cases = {
      {"no limits", {}, {{none, 1'000'000, none, 1'000'000}, {none, 1'000'000, none, 1'000'000}}},
      {"requests",
       {2, 0, 0},
       {{none, 0, none},
        {none, 0, none},
        {none, 0, 30 * s},
        {29 * s, 0, s},
        {30 * s, 0, none},
        {30 * s, 0, 30 * s},
        {90 * s, 0, none}}},
      {"a rested key has one minute, not more",
       {2, 0, 0},
       {{600 * s, 0, none}, {600 * s, 0, none}, {600 * s, 0, 30 * s}}},
      {"tokens used as estimated",
       {0, 600, 0},
       {{none, 300, none, 300}, {none, 300, none, 300}, {none, 10, s, 0}, {s, 10, none, 10}}},
      {"an estimate too high comes back", {0, 600, 0}, {{none, 600, none, 10}, {none, 590, none, 590}, {none, 10, s}}},
      {"an estimate too low is owed",
       {0, 600, 0},
       {{none, 100, none, 1200}, {none, 0, 60 * s}, {60 * s, 0, none}, {60 * s, 100, 10 * s}}},
      {"what can never fit is taken when the bucket is full",
       {0, 600, 0},
       {{none, 100'000, none, 600}, {59 * s, 100'000, s}, {60 * s, 100'000, none, 600}}},
      {"a refusal costs nothing",
       {10, 60, 0},
       {{none, 60, none, 60}, {none, 60, 60 * s}, {none, 60, 60 * s}, {60 * s, 60, none, 60}}},
      {"nothing used, nothing paid", {0, 60, 0}, {{none, 60, none, 0}, {none, 60, none, 0}, {none, 60, none, 0}}},
  };
  for (const Case& c : cases) {
    SetClock clock;
    KeyLimits limits(clock);
    const absl::Duration begin = clock.Monotonic();
    const ApiKey key = Limited(c.quota);
    for (size_t i = 0; i < c.arrivals.size(); ++i) {
      const Arrival& arrival = c.arrivals[i];
      clock.Advance(begin + arrival.at - clock.Monotonic());
      absl::StatusOr<KeyLease> lease = limits.Admit(key, arrival.estimated);
      if (arrival.wait == none) {
        ASSERT_TRUE(lease.ok()) << c.what << ", request " << i << ": " << lease.status();
        lease->End(arrival.used);
        continue;
      }
      ASSERT_TRUE(absl::IsResourceExhausted(lease.status())) << c.what << ", request " << i;
      ASSERT_TRUE(RetryAfter(lease.status()).has_value());
      EXPECT_LE(absl::AbsDuration(*RetryAfter(lease.status()) - arrival.wait), absl::Milliseconds(1))
          << c.what << ", request " << i << ": " << lease.status();
    }
  }
}

TEST(KeyLimitsTest, ComingAgainWhenToldIsEnough) {
  SetClock clock;
  KeyLimits limits(clock);
  const ApiKey key = Limited({7, 1234, 0});
  int admitted = 0;
  for (int i = 0; i < 200; ++i) {
    absl::StatusOr<KeyLease> lease = limits.Admit(key, 97);
    if (!lease.ok()) {
      clock.Advance(*RetryAfter(lease.status()));
      lease = limits.Admit(key, 97);
    }
    // Requests and tokens may each tell a time; after the longer one there is room.
    if (!lease.ok()) {
      clock.Advance(*RetryAfter(lease.status()));
      lease = limits.Admit(key, 97);
    }
    ASSERT_TRUE(lease.ok()) << i << ": " << lease.status();
    lease->End(101);
    ++admitted;
  }
  EXPECT_EQ(admitted, 200);
}

TEST(KeyLimitsTest, ConcurrencyIsOfLeasesThatHaveNotEnded) {
  SetClock clock;
  KeyLimits limits(clock);
  const ApiKey key = Limited({0, 0, 2});
  ApiKey other = key;
  other.id = "ba9876543210";
  auto first = limits.Admit(key, 0);
  auto second = limits.Admit(key, 0);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(limits.running(key.id), 2u);
  const auto third = limits.Admit(key, 0);
  EXPECT_TRUE(absl::IsResourceExhausted(third.status()));
  EXPECT_THAT(MessageOf(third.status()), HasSubstr("2 requests at a time"));
  EXPECT_TRUE(RetryAfter(third.status()).has_value());
  EXPECT_TRUE(limits.Admit(other, 0).ok()) << "keys are apart";

  first->End(5);
  first->End(5);
  EXPECT_EQ(limits.running(key.id), 1u) << "an end counts once";
  {
    KeyLease moved = *std::move(second);
    KeyLease again;
    again = std::move(moved);
    EXPECT_EQ(limits.running(key.id), 1u);
  }
  EXPECT_EQ(limits.running(key.id), 0u) << "a lease that is dropped has ended";
  KeyLease none;
  none.End(7);
}

// Each request comes at once and is estimated, tokenised, and settled with what it used.
TEST(KeyLimitsTest, ATokenisedPromptIsChargedInPlaceOfTheEstimate) {
  struct Request {
    uint64_t estimated, prompt, answer, used;
    absl::StatusCode code = absl::StatusCode::kOk;
    absl::Duration wait = absl::ZeroDuration();
  };
  struct Case {
    std::string what;
    std::vector<Request> requests;  // of a key with 600 tokens a minute
  };
  constexpr auto kFull = absl::StatusCode::kResourceExhausted;
  constexpr auto kNever = absl::StatusCode::kInvalidArgument;
  const std::vector<Case> cases = {
      {"counted once, as prompt and as use",
       {{100, 300, 0, 300}, {100, 300, 0, 300}, {0, 1, 0, 0, kFull, absl::Milliseconds(100)}}},
      {"what it holds already is not asked again", {{600, 600, 0, 600}, {0, 10, 0, 0, kFull, absl::Seconds(1)}}},
      {"the answer keeps its estimate", {{100, 200, 401, 600}, {0, 1, 0, 0, kFull, absl::Milliseconds(100)}}},
      {"a refusal costs nothing", {{300, 300, 0, 300}, {100, 310, 0, 0, kFull, absl::Seconds(1)}, {300, 300, 0, 300}}},
      {"an estimate too high comes back", {{600, 10, 0, 10}, {590, 590, 0, 590}}},
      {"more than a minute's worth never fits", {{600, 601, 0, 0, kNever}, {600, 600, 1000, 600}}},
  };
  for (const Case& c : cases) {
    SetClock clock;
    KeyLimits limits(clock);
    const ApiKey key = Limited({0, 600, 0});
    for (size_t i = 0; i < c.requests.size(); ++i) {
      const Request& request = c.requests[i];
      absl::StatusOr<KeyLease> lease = limits.Admit(key, request.estimated);
      ASSERT_TRUE(lease.ok()) << c.what << ", request " << i << ": " << lease.status();
      const absl::Status charged = lease->charge().SetPrompt("prompt", request.prompt, request.answer);
      EXPECT_EQ(charged.code(), request.code) << c.what << ", request " << i << ": " << charged;
      EXPECT_EQ(RetryAfter(charged).value_or(absl::ZeroDuration()), request.wait) << c.what << ", request " << i;
      if (request.code == kNever) {
        EXPECT_THAT(MessageOf(charged), HasSubstr("prompt: 601 tokens are more than the 600"));
      }
      lease->End(request.used);
    }
  }
}

TEST(KeyLimitsTest, AChargeOutlivesItsRequestAndChangesNothingThen) {
  SetClock clock;
  KeyLimits limits(clock);
  const ApiKey key = Limited({0, 600, 0});
  absl::StatusOr<KeyLease> lease = limits.Admit(key, 100);
  ASSERT_TRUE(lease.ok());
  const TokenCharge charge = lease->charge();
  lease->End(0);
  EXPECT_TRUE(charge.SetPrompt("prompt", 500, 0).ok());
  EXPECT_TRUE(limits.Admit(key, 600).ok());
  EXPECT_FALSE(KeyLease().charge().is_limited());
  KeyLimits of_another(clock);
  absl::StatusOr<KeyLease> of_requests = of_another.Admit(Limited({5, 0, 5}), 0);
  ASSERT_TRUE(of_requests.ok());
  EXPECT_FALSE(of_requests->charge().is_limited());
}

TEST(RequestAdmissionTest, ChoicesGoTogetherOnceAllHaveArrived) {
  SetClock clock;
  KeyLimits limits(clock);
  const ApiKey key = Limited({0, 600, 0});
  for (const uint64_t prompt_tokens : {300u, 301u}) {
    absl::StatusOr<KeyLease> lease = limits.Admit(key, 10);
    ASSERT_TRUE(lease.ok());
    RequestAdmission admission(lease->charge(), 2);
    std::vector<absl::Status> told;
    const RequestAdmission::Go go = [&told](const absl::Status& admitted) { told.push_back(admitted); };
    admission.Arrive(prompt_tokens, 0, go);
    EXPECT_TRUE(told.empty()) << "the other may be too much";
    admission.Arrive(300, 0, go);
    ASSERT_EQ(told.size(), 2u);
    for (const absl::Status& one : told) EXPECT_EQ(one.ok(), prompt_tokens == 300) << one;
  }
  RequestAdmission unlimited(TokenCharge(), 2);
  int called = 0;
  unlimited.Arrive(1, 0, [&called](const absl::Status& admitted) { called += admitted.ok() ? 1 : 0; });
  EXPECT_EQ(called, 1) << "nobody is waited for where nothing is counted";
}

TEST(KeyLimitsTest, OnlyARefusalOfLimitsSaysWhenToComeAgain) {
  EXPECT_FALSE(RetryAfter(absl::OkStatus()).has_value());
  EXPECT_FALSE(RetryAfter(absl::ResourceExhaustedError("the queue is full")).has_value());
}

TEST(CallerTest, AModelThatTheKeyMayNotUseIsNamed) {
  ApiKey key = Limited({1, 0, 0});
  key.models = {"a", "b"};
  const Caller caller{"key", std::make_shared<const ApiKey>(key)};
  SetClock clock;
  KeyLimits limits(clock);
  const absl::Status refused = AdmitRequest(limits, caller, "c", 0).status();
  EXPECT_TRUE(absl::IsPermissionDenied(refused));
  EXPECT_THAT(MessageOf(refused), HasSubstr("may not use 'c', only a, b"));
  EXPECT_TRUE(AdmitRequest(limits, caller, "a", 0).ok()) << "the refusal did not count";
  EXPECT_TRUE(absl::IsResourceExhausted(AdmitRequest(limits, caller, "b", 0).status()));
  EXPECT_TRUE(AdmitRequest(limits, Caller{"this machine", nullptr}, "c", uint64_t{1} << 60).ok());
}

TEST(CallerTest, TheEstimateIsPromptAndABoundedAnswer) {
  enigma::v1::GenerateRequest request;
  request.set_prompt(std::string(400, 'a'));
  request.mutable_sampling()->set_max_tokens(50);
  EXPECT_EQ(EstimateTokens(request), 101u + 50u);
  EXPECT_EQ(EstimateTokens(request, 3), 101u + 3 * 50u) << "choices share their prompt";
  request.mutable_sampling()->set_max_tokens(2'000'000'000);
  EXPECT_EQ(EstimateTokens(request), 101u + 1024u);
  for (int i = 0; i < 7; ++i) request.mutable_prompt_ids()->add_ids(i);
  request.mutable_sampling()->set_max_tokens(1);
  EXPECT_EQ(EstimateTokens(request), 8u);
}

}  // namespace
}  // namespace enigma::coordinator
