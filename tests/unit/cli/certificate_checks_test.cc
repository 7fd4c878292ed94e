#include "cli/doctor/certificate_checks.h"

#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enigma::cli {
namespace {

using ::testing::HasSubstr;

const absl::Time kNow = absl::FromUnixSeconds(1'800'000'000);
constexpr absl::Duration kDay = absl::Hours(24);

ShownCertificate Shown(absl::Duration age, absl::Duration left) {
  return {.fronts = {"https://127.0.0.1:8443/v1", "public gRPC at 127.0.0.1:8444"},
          .facts = {.names = {"api.example.org", "127.0.0.1"}, .from = kNow - age, .until = kNow + left, .digest = ""},
          .uncovered = {}};
}

Announcement FromFiles() {
  Announcement from;
  from.tls_chain_path = "/etc/chain.pem";
  from.tls_key_path = "/etc/key.pem";
  return from;
}

TEST(JudgeCertificateTest, HowLongItIsGoodDecides) {
  struct Case {
    absl::Duration age;
    absl::Duration left;
    Verdict verdict;
    const char* says;
  };
  const Case cases[] = {
      {60 * kDay, 30 * kDay, Verdict::kFine, "(30 days)"},
      {76 * kDay, 14 * kDay, Verdict::kFine, "(14 days)"},
      {77 * kDay, 13 * kDay, Verdict::kNote, "expires soon, at 2027-01-28 08:00:00Z, in 13 days"},
      // One that lives for six days is renewed every few days: a fifth of them is soon.
      {4 * kDay, 2 * kDay, Verdict::kFine, "(2 days)"},
      {5 * kDay, kDay, Verdict::kNote, "in 24 h"},
      {90 * kDay, -absl::Seconds(1), Verdict::kProblem, "expired at 2027-01-15 07:59:59Z"},
      {-absl::Seconds(1), 90 * kDay, Verdict::kProblem,
       "is not valid before 2027-01-15 08:00:01Z, and this machine's clock says 2027-01-15 08:00:00Z"},
  };
  for (const Case& c : cases) {
    const Findings findings = JudgeCertificate(Shown(c.age, c.left), FromFiles(), kNow);
    ASSERT_EQ(findings.size(), 1U) << c.says;
    EXPECT_EQ(findings[0].verdict, c.verdict) << findings[0].detail;
    EXPECT_THAT(findings[0].detail, HasSubstr(c.says));
    EXPECT_THAT(findings[0].detail,
                HasSubstr("the certificate of https://127.0.0.1:8443/v1 and public gRPC at 127.0.0.1:8444"));
  }
}

TEST(JudgeCertificateTest, WhomItsNamesKeepOutIsSaid) {
  ShownCertificate shown = Shown(kDay, 80 * kDay);
  shown.uncovered = {"10.0.0.7", "host1"};
  const Findings some = JudgeCertificate(shown, FromFiles(), kNow);
  ASSERT_EQ(some.size(), 1U);
  EXPECT_EQ(some[0].verdict, Verdict::kNote);
  EXPECT_THAT(some[0].detail,
              HasSubstr("is for api.example.org, 127.0.0.1: clients that dial 10.0.0.7 or host1 refuse it"));
  shown.facts.names.clear();
  const Findings all = JudgeCertificate(shown, FromFiles(), kNow);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].verdict, Verdict::kProblem);
  EXPECT_THAT(all[0].detail, HasSubstr("names no host"));
  // Two faults at once are both said.
  shown.facts.until = kNow - kDay;
  EXPECT_EQ(JudgeCertificate(shown, FromFiles(), kNow).size(), 2U);
}

TEST(JudgeCertificateTest, TheAdviceDependsOnWhereItComesFrom) {
  const ShownCertificate old = Shown(90 * kDay, -kDay);
  EXPECT_THAT(JudgeCertificate(old, FromFiles(), kNow)[0].advice,
              HasSubstr("put a renewed one into /etc/chain.pem and its key into /etc/key.pem"));
  EXPECT_THAT(JudgeCertificate(old, {}, kNow)[0].advice, HasSubstr("start the coordinator again"));
  ShownCertificate elsewhere = Shown(kDay, 80 * kDay);
  elsewhere.uncovered = {"10.0.0.7"};
  EXPECT_THAT(JudgeCertificate(elsewhere, FromFiles(), kNow)[0].advice, HasSubstr("use one of its names"));
  EXPECT_THAT(JudgeCertificate(elsewhere, {}, kNow)[0].advice, HasSubstr("start the coordinator again"));
}

}  // namespace
}  // namespace enigma::cli
