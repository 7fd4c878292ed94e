#include <fstream>
#include <sstream>

#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/gateway/access.h"
#include "coordinator/gateway/openai/api_error.h"
#include "coordinator/gateway/sampling_check.h"
#include "coordinator/gateway/status_contract.h"
#include "coordinator/routing/choose_replica.h"
#include "coordinator/scheduling/admission.h"
#include "coordinator/scheduling/intake.h"
#include "coordinator/scheduling/turn.h"

namespace enigma::coordinator {
namespace {

TEST(PeerTest, HostsAreReadOutOfGrpcsPeers) {
  EXPECT_EQ(HostOfPeer("ipv4:10.0.0.2:5123"), "10.0.0.2");
  EXPECT_EQ(HostOfPeer("ipv6:%5Bfe80::1%25eth0%5D:5123"), "fe80::1%eth0");
  EXPECT_EQ(HostOfPeer("ipv6:[::ffff:10.0.0.2]:5123"), "10.0.0.2");
  EXPECT_EQ(HostOfPeer("nonsense"), "");
}

TEST(PeerTest, LoopbackIsKnownInEveryDress) {
  for (const char* peer : {"ipv4:127.0.0.1:1", "ipv4:127.9.9.9:1", "ipv6:[::1]:1", "ipv6:%5B::1%5D:1",
                           "ipv6:[::ffff:127.0.0.1]:1", "unix:/tmp/x"}) {
    EXPECT_TRUE(IsLoopbackPeer(peer)) << peer;
  }
  for (const char* peer :
       {"ipv4:10.0.0.1:1", "ipv4:128.0.0.1:1", "ipv6:[2001:db8::1]:1", "ipv6:[::ffff:10.127.0.1]:1", ""}) {
    EXPECT_FALSE(IsLoopbackPeer(peer)) << peer;
  }
}

// The table that users read is the table that the code goes by.
TEST(StatusContractTest, DocumentAndCodeAgree) {
  std::ifstream file(std::string(ENIGMA_SOURCE_DIR) + "/docs/statuses.md");
  std::stringstream document;
  document << file.rdbuf();
  for (const StatusRule& rule : StatusRules()) {
    const std::string wait = rule.of_a_key ? "until the limit allows it"
                             : rule.retry_after > absl::ZeroDuration()
                                 ? absl::StrCat(absl::ToInt64Seconds(rule.retry_after), " s")
                                 : "";
    const auto cell = [](absl::string_view text) { return text.empty() ? " |" : absl::StrCat(" ", text, " |"); };
    const std::string row = absl::StrCat("\n|", cell(rule.grpc), cell(absl::StrCat(rule.http)), cell(rule.type),
                                         cell(rule.error_code), cell(wait), " ");
    EXPECT_THAT(document.str(), ::testing::HasSubstr(row));
  }
}

TEST(StatusContractTest, EveryStatusHasARule) {
  for (int code = 1; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), "temperature: 3 is too hot");
    const ApiError error = ErrorOf(status);
    EXPECT_GE(error.status, 400u) << code;
    EXPECT_EQ(error.retry_after.has_value(), error.status == 503) << code;
    EXPECT_EQ(error.param == "temperature", error.status < 500 && error.status != 499 && error.status != 404) << code;
  }
  EXPECT_EQ(ErrorOf(absl::DataLossError("x")).status, 500u);
  EXPECT_EQ(ErrorOf(absl::NotFoundError("no such model")).param, "model");
}

TEST(ChooseReplicaTest, TakesTheLeastBusyOneInService) {
  struct Case {
    std::vector<ReplicaLoad> replicas;
    std::optional<size_t> chosen;
  };
  const std::vector<Case> cases = {
      {{}, std::nullopt},
      {{{1, 0, 4, false}}, std::nullopt},
      {{{1, 4, 4, true}}, std::nullopt},
      {{{1, 3, 4, true}, {2, 1, 4, true}, {3, 2, 4, true}}, 1},
      {{{2, 1, 4, true}, {1, 1, 4, true}}, 1},
      {{{1, 0, 4, false}, {2, 3, 4, true}}, 1},
      // One that makes no progress only where there is no other with room: it may be slow rather than stuck.
      {{{1, 0, 4, true, true}, {2, 3, 4, true}}, 1},
      {{{2, 3, 4, true}, {1, 0, 4, true, true}}, 0},
      {{{1, 0, 4, true, true}, {2, 4, 4, true}}, 0},
      {{{1, 2, 4, true, true}, {2, 1, 4, true, true}}, 1},
  };
  for (const Case& c : cases) EXPECT_EQ(ChooseReplica(c.replicas), c.chosen);
}

TEST(AdmissionTest, AFullQueueIsASentence) {
  EXPECT_TRUE(Admit({"m", 1, 5, 0, 2}).ok());
  EXPECT_TRUE(absl::IsUnavailable(Admit({"m", 0, 0, 0, 2})));
  const absl::Status full = Admit({"m", 1, 64, 2, 2});
  EXPECT_TRUE(absl::IsResourceExhausted(full));
  EXPECT_NE(full.ToString().find("64 requests run and 2 wait"), std::string::npos);
}

TEST(AdmissionTest, AFullQueueTakesOneWhoseTurnIsBeforeTheLasts) {
  EXPECT_TRUE(Admit({"m", 1, 64, 2, 2, true}).ok());
  EXPECT_TRUE(absl::IsUnavailable(Admit({"m", 0, 0, 2, 2, true})));
}

TEST(TurnTest, HigherClassesGoFirstAndNobodyWaitsForEver) {
  struct Request {
    enigma::v1::Priority priority;
    int arrived;
  };
  constexpr auto kLow = enigma::v1::PRIORITY_LOW;
  constexpr auto kNormal = enigma::v1::PRIORITY_NORMAL;
  constexpr auto kHigh = enigma::v1::PRIORITY_HIGH;
  struct Case {
    Request first;
    Request second;
  };
  const std::vector<Case> cases = {
      {{kHigh, 100}, {kNormal, 100}},
      {{kNormal, 100}, {kLow, 100}},
      {{kHigh, 109}, {kNormal, 100}},  // overtaken
      {{kNormal, 100}, {kHigh, 111}},  // but no longer
      {{kNormal, 129}, {kLow, 100}},
      {{kLow, 100}, {kNormal, 131}},
      {{kHigh, 139}, {kLow, 100}},
      {{kLow, 100}, {kHigh, 141}},
      {{kLow, 100}, {kLow, 101}},
      {{kHigh, 100}, {kHigh, 101}},
      {{enigma::v1::PRIORITY_UNSPECIFIED, 100}, {kNormal, 101}},
      {{kNormal, 100}, {enigma::v1::PRIORITY_UNSPECIFIED, 101}},
  };
  for (const Case& c : cases) {
    EXPECT_LT(TurnOf(c.first.priority, absl::Seconds(c.first.arrived)),
              TurnOf(c.second.priority, absl::Seconds(c.second.arrived)))
        << c.first.priority << " at " << c.first.arrived << ", " << c.second.priority << " at " << c.second.arrived;
  }
}

TEST(IntakeTest, CountsWhoIsInsideAndHowLargeTheyAreTogether) {
  Intake intake(100);
  auto large = intake.Enter(1000);
  EXPECT_TRUE(large.ok()) << "one alone may be of any size that the servers let in";
  EXPECT_TRUE(absl::IsResourceExhausted(intake.Enter(1).status()));
  large->Leave();
  auto first = intake.Enter(60);
  auto second = intake.Enter(40);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_TRUE(absl::IsResourceExhausted(intake.Enter(1).status()));
  EXPECT_TRUE(absl::IsResourceExhausted(intake.EnterMore(1).status()));
  *first = *std::move(second);  // a pass that another takes the place of leaves
  EXPECT_EQ(intake.inside(), 1u);
  EXPECT_TRUE(intake.Enter(60).ok());
  intake.Close(absl::UnavailableError("closed"));
  EXPECT_TRUE(absl::IsUnavailable(intake.Enter(1).status()));
  EXPECT_FALSE(intake.AwaitNone(absl::ZeroDuration()));
  {
    const auto more = intake.EnterMore(1000);
    ASSERT_TRUE(more.ok()) << "of one alone, though it is closed: " << more.status();
    EXPECT_EQ(more->bytes(), 1000u);
    EXPECT_EQ(intake.inside(), 1u) << "it is no request by itself";
  }
  first->Leave();
  EXPECT_EQ(first->bytes(), 0u);
  EXPECT_TRUE(intake.AwaitNone(absl::ZeroDuration()));
}

TEST(SamplingCheckTest, NamesTheFieldThatIsOutOfRange) {
  enigma::v1::SamplingParams good;
  good.set_temperature(0);
  good.set_top_p(1);
  good.set_frequency_penalty(-2);
  good.add_stop("\n\n");
  EXPECT_TRUE(CheckSampling(good, 512).ok());
  EXPECT_TRUE(CheckSampling({}, 512).ok());

  const auto fails = [](const char* field, const std::function<void(enigma::v1::SamplingParams&)>& set) {
    enigma::v1::SamplingParams params;
    set(params);
    const absl::Status status = CheckSampling(params, 512);
    EXPECT_TRUE(absl::IsInvalidArgument(status)) << field;
    EXPECT_NE(status.ToString().find(field), std::string::npos) << status;
  };
  fails("temperature", [](auto& p) { p.set_temperature(std::nanf("")); });
  fails("top_p", [](auto& p) { p.set_top_p(1.5F); });
  fails("min_p", [](auto& p) { p.set_min_p(-0.1F); });
  fails("repetition_penalty", [](auto& p) { p.set_repetition_penalty(0); });
  fails("frequency_penalty", [](auto& p) { p.set_frequency_penalty(2.5F); });
  fails("presence_penalty", [](auto& p) { p.set_presence_penalty(-3); });
  fails("top_logprobs", [](auto& p) { p.set_top_logprobs(21); });
  fails("stop", [](auto& p) { p.add_stop(""); });
  fails("logit_bias", [](auto& p) { p.add_logit_bias()->set_id(-1); });
}

}  // namespace
}  // namespace enigma::coordinator
