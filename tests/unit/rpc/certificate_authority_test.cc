#include "rpc/certificate_authority.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "tests/support/message_of.h"
#include "tests/unit/rpc/scratch_folder.h"
#include "tests/unit/rpc/test_clock.h"

namespace enigma {
namespace {

using ::enigma::testing::MessageOf;

using ::testing::HasSubstr;

std::unique_ptr<CertificateAuthority> MakeCa(const std::string& folder, const Clock& clock = Clock::System()) {
  auto ca = CertificateAuthority::LoadOrCreate(folder, clock);
  EXPECT_TRUE(ca.ok()) << ca.status();
  return *std::move(ca);
}

absl::StatusOr<NodeCertificate> Verify(const std::string& leaf_pem, const std::string& ca_pem, absl::Time now) {
  const auto leaf = ParseCertificatePem(leaf_pem);
  const auto ca = ParseCertificatePem(ca_pem);
  if (!leaf.ok()) return leaf.status();
  if (!ca.ok()) return ca.status();
  return VerifyNodeCertificate(**leaf, **ca, now);
}

TEST(CertificateAuthority, SurvivesARestartAndKeepsItsKeyPrivate) {
  const ScratchFolder folder;
  const auto first = MakeCa(folder / "pki");
  const auto second = MakeCa(folder / "pki");
  EXPECT_EQ(first->cluster_id().size(), 32u);
  EXPECT_EQ(first->pin().size(), 32u);
  EXPECT_EQ(first->cluster_id(), second->cluster_id());
  EXPECT_EQ(first->certificate_pem(), second->certificate_pem());
  EXPECT_EQ(first->pin(), second->pin());
  struct stat about {};
  ASSERT_EQ(stat((folder / "pki/ca.pem").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600u);
  ASSERT_EQ(stat((folder / "pki").c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0700u);
  size_t files = 0;
  for ([[maybe_unused]] const auto& file : std::filesystem::directory_iterator(folder / "pki")) ++files;
  EXPECT_EQ(files, 1u) << "a temporary file was left behind";
}

TEST(CertificateAuthority, TwoClustersDiffer) {
  const ScratchFolder folder;
  EXPECT_NE(MakeCa(folder / "a")->cluster_id(), MakeCa(folder / "b")->cluster_id());
}

TEST(CertificateAuthority, ADamagedFileIsNamed) {
  const ScratchFolder folder;
  MakeCa(folder.path());
  std::filesystem::resize_file(folder / "ca.pem", 300);
  const auto again = CertificateAuthority::LoadOrCreate(folder.path());
  ASSERT_EQ(again.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(MessageOf(again.status()), HasSubstr(folder / "ca.pem"));
}

TEST(CertificateAuthority, IssuesWhatItSays) {
  const ScratchFolder folder;
  const auto ca = MakeCa(folder.path());
  const auto identity = ca->Issue("node-1", Role::kWorker);
  ASSERT_TRUE(identity.ok()) << identity.status();
  const auto seen = Verify(identity->certificate_pem, ca->certificate_pem(), absl::Now());
  ASSERT_TRUE(seen.ok()) << seen.status();
  EXPECT_EQ(seen->cluster_id, ca->cluster_id());
  EXPECT_EQ(seen->node_id, "node-1");
  EXPECT_EQ(seen->role, Role::kWorker);
  EXPECT_EQ(seen->beacon_public_key, identity->beacon_key.public_key());
  EXPECT_LT(seen->not_before, absl::Now() - absl::Hours(23));
  EXPECT_GT(seen->not_after, absl::Now() + absl::Hours(24 * 365));
}

TEST(CertificateAuthority, RefusesRequestsForAnotherName) {
  const ScratchFolder folder;
  const auto ca = MakeCa(folder.path());
  const auto keys = NodeKeys::Generate();
  ASSERT_TRUE(keys.ok());
  const auto request = MakeCertificateRequest(*keys, ca->cluster_id(), "node-1", Role::kWorker);
  ASSERT_TRUE(request.ok());
  EXPECT_TRUE(ca->Sign(*request, "node-1", Role::kWorker).ok());
  EXPECT_FALSE(ca->Sign(*request, "node-2", Role::kWorker).ok());
  EXPECT_FALSE(ca->Sign(*request, "node-1", Role::kCoordinator).ok());
  const auto foreign = MakeCertificateRequest(*keys, std::string(32, 'a'), "node-1", Role::kWorker);
  ASSERT_TRUE(foreign.ok());
  EXPECT_FALSE(ca->Sign(*foreign, "node-1", Role::kWorker).ok());
}

TEST(CertificateAuthority, RefusesTamperedRequests) {
  const ScratchFolder folder;
  const auto ca = MakeCa(folder.path());
  const auto keys = NodeKeys::Generate();
  ASSERT_TRUE(keys.ok());
  const auto request = MakeCertificateRequest(*keys, ca->cluster_id(), "node-1", Role::kWorker);
  ASSERT_TRUE(request.ok());
  size_t refused = 0, tried = 0;
  for (size_t at = 60; at + 60 < request->size(); at += 7) {
    std::string changed = *request;
    changed[at] = changed[at] == 'A' ? 'B' : 'A';
    ++tried;
    if (!ca->Sign(changed, "node-1", Role::kWorker).ok()) ++refused;
  }
  EXPECT_EQ(refused, tried);
  EXPECT_FALSE(ca->Sign("", "node-1", Role::kWorker).ok());
  EXPECT_FALSE(ca->Sign(std::string(100'000, 'x'), "node-1", Role::kWorker).ok());
}

TEST(VerifyNodeCertificate, WrongCa) {
  const ScratchFolder folder;
  const auto ours = MakeCa(folder / "a");
  const auto theirs = MakeCa(folder / "b");
  const auto identity = theirs->Issue("node-1", Role::kWorker);
  ASSERT_TRUE(identity.ok());
  const auto seen = Verify(identity->certificate_pem, ours->certificate_pem(), absl::Now());
  EXPECT_EQ(seen.status().code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(MessageOf(seen.status()), HasSubstr("another cluster"));
  // A node's certificate is no CA, even one that signed itself into the place of one.
  EXPECT_FALSE(Verify(identity->certificate_pem, identity->certificate_pem, absl::Now()).ok());
}

TEST(VerifyNodeCertificate, ClockSkewIsNamed) {
  const ScratchFolder folder;
  const auto ca = MakeCa(folder.path());
  const auto identity = ca->Issue("node-1", Role::kWorker);
  ASSERT_TRUE(identity.ok());
  const absl::Time now = absl::Now();
  EXPECT_TRUE(Verify(identity->certificate_pem, ca->certificate_pem(), now - absl::Hours(20)).ok());
  const auto early =
      Verify(identity->certificate_pem, ca->certificate_pem(), now - absl::Hours(30) - absl::Seconds(30));
  ASSERT_EQ(early.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(MessageOf(early.status()), HasSubstr("clocks of the two machines differ by at least 6h"));
  const auto late = Verify(identity->certificate_pem, ca->certificate_pem(), now + absl::Hours(24 * 4000));
  ASSERT_EQ(late.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(MessageOf(late.status()), HasSubstr("expired"));
}

TEST(Identity, IsSavedAndLoadedWhole) {
  const ScratchFolder folder;
  const auto ca = MakeCa(folder.path());
  const auto issued = ca->Issue("node-1", Role::kWorker);
  ASSERT_TRUE(issued.ok());
  const std::string path = folder / "worker/pki/node.pem";
  EXPECT_EQ(LoadIdentity(path, absl::Now()).status().code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(SaveIdentity(path, *issued).ok());
  const auto loaded = LoadIdentity(path, absl::Now());
  ASSERT_TRUE(loaded.ok()) << loaded.status();
  EXPECT_EQ(loaded->node_id, "node-1");
  EXPECT_EQ(loaded->cluster_id, ca->cluster_id());
  EXPECT_EQ(loaded->tls_private_key_pem, issued->tls_private_key_pem);
  EXPECT_EQ(loaded->certificate_pem, issued->certificate_pem);
  EXPECT_EQ(loaded->ca_certificate_pem, ca->certificate_pem());
  EXPECT_EQ(loaded->beacon_key.seed(), issued->beacon_key.seed());

  for (const size_t size : {0u, 100u, 260u, 400u, 1200u}) {
    std::ifstream whole(path);
    std::stringstream text;
    text << whole.rdbuf();
    ASSERT_GT(text.str().size(), size);
    std::ofstream(folder / "cut.pem") << text.str().substr(0, size);
    const auto cut = LoadIdentity(folder / "cut.pem", absl::Now());
    ASSERT_FALSE(cut.ok()) << size;
    EXPECT_THAT(MessageOf(cut.status()), HasSubstr("cut.pem")) << size;
  }
}

TEST(Identity, KeysAndCertificateMustBelongTogether) {
  const ScratchFolder folder;
  const auto ca = MakeCa(folder.path());
  const auto one = ca->Issue("node-1", Role::kWorker);
  const auto two = ca->Issue("node-2", Role::kWorker);
  ASSERT_TRUE(one.ok() && two.ok());
  const auto assemble = [&](const std::string& tls_key, const SigningKey& beacon_key) {
    return AssembleIdentity({tls_key, beacon_key}, one->certificate_pem, ca->certificate_pem(), absl::Now()).ok();
  };
  EXPECT_TRUE(assemble(one->tls_private_key_pem, one->beacon_key));
  EXPECT_FALSE(assemble(two->tls_private_key_pem, one->beacon_key));
  EXPECT_FALSE(assemble(one->tls_private_key_pem, two->beacon_key));
}

TEST(Identity, LoadOrIssueKeepsTheNodeIdAndNoticesANewCluster) {
  const ScratchFolder folder;
  const auto ca = MakeCa(folder / "a");
  const auto first = ca->LoadOrIssue(folder / "node.pem", Role::kCoordinator);
  const auto second = ca->LoadOrIssue(folder / "node.pem", Role::kCoordinator);
  ASSERT_TRUE(first.ok() && second.ok());
  EXPECT_EQ(first->node_id, second->node_id);
  const auto third = MakeCa(folder / "b")->LoadOrIssue(folder / "node.pem", Role::kCoordinator);
  ASSERT_TRUE(third.ok());
  EXPECT_NE(first->cluster_id, third->cluster_id);
}

TEST(NodeId, Malformed) {
  for (const char* id : {"a", "node-1", "0123456789abcdef"}) EXPECT_TRUE(CheckNodeId(id).ok()) << id;
  for (const char* id : {"", "-a", "a-", "Node", "a.b", "a/b", "a,DNS:coordinator.enigma.internal", "a b"}) {
    EXPECT_FALSE(CheckNodeId(id).ok()) << id;
  }
  EXPECT_FALSE(CheckNodeId(std::string(41, 'a')).ok());
  EXPECT_TRUE(CheckNodeId(MakeNodeId()).ok());
  EXPECT_NE(MakeNodeId(), MakeNodeId());
}

}  // namespace
}  // namespace enigma
