#include "rpc/certificate_facts.h"

#include <absl/time/clock.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rpc/certificate.h"
#include "rpc/certificate_authority.h"
#include "tests/unit/rpc/scratch_folder.h"
#include "tests/unit/rpc/test_clock.h"

namespace enigma {
namespace {

using ::testing::UnorderedElementsAre;

class CertificateFactsTest : public ::testing::Test {
 protected:
  X509Ptr Issue(const std::vector<std::string>& hosts, absl::Duration ahead = absl::ZeroDuration()) {
    const SkewedClock clock(ahead);
    const auto ca = CertificateAuthority::LoadOrCreate(folder_ / ("ca" + std::to_string(issued_++)), clock);
    EXPECT_TRUE(ca.ok()) << ca.status();
    const auto certificate = (*ca)->IssueForServer(hosts);
    EXPECT_TRUE(certificate.ok()) << certificate.status();
    auto leaf = ParseCertificatePem(certificate->chain_pem);
    EXPECT_TRUE(leaf.ok()) << leaf.status();
    return *std::move(leaf);
  }

  const ScratchFolder folder_;
  int issued_ = 0;
};

TEST_F(CertificateFactsTest, NamesAndValidityAreRead) {
  const X509Ptr now = Issue({"api.example.org", "10.0.0.1", "2001:db8::1"});
  const auto facts = FactsOf(*now);
  ASSERT_TRUE(facts.ok()) << facts.status();
  EXPECT_THAT(facts->names, UnorderedElementsAre("api.example.org", "10.0.0.1", "2001:db8::1"));
  EXPECT_LT(facts->from, absl::Now());
  EXPECT_GT(facts->until, absl::Now());
  const auto later = FactsOf(*Issue({"api.example.org"}, absl::Hours(24)));
  ASSERT_TRUE(later.ok());
  EXPECT_NEAR(absl::ToDoubleHours(later->until - facts->until), 24, 0.1);
  EXPECT_NE(later->digest, facts->digest);
}

TEST_F(CertificateFactsTest, AHostIsCoveredByItsNameOrItsAddress) {
  const X509Ptr certificate = Issue({"api.example.org", "10.0.0.1", "2001:db8::1"});
  for (const char* host : {"api.example.org", "API.example.org", "10.0.0.1", "2001:db8:0::1"}) {
    EXPECT_TRUE(CoversHost(*certificate, host)) << host;
  }
  for (const char* host : {"example.org", "other.example.org", "10.0.0.2", "2001:db8::2", "enigma server", ""}) {
    EXPECT_FALSE(CoversHost(*certificate, host)) << host;
  }
}

}  // namespace
}  // namespace enigma
