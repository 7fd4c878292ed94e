// `enigma doctor` of a coordinator that runs: what it says of HTTP, of gRPC for clients with a key, and of TLS.
#include <chrono>
#include <filesystem>
#include <fstream>
#include <thread>
#include <tuple>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rpc/certificate_authority.h"
#include "tests/cluster/cluster.h"
#include "tests/unit/rpc/test_clock.h"

namespace enigma::testing {
namespace {

using ::testing::AllOf;
using ::testing::Contains;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::UnorderedElementsAre;

class DoctorOfApiTest : public ::testing::Test {
 protected:
  void StartCoordinator(std::vector<std::string> flags) {
    Cluster::Options options;
    options.coordinator_flags = std::move(flags);
    cluster_ = Cluster::Start(std::move(options));
    ASSERT_NE(cluster_, nullptr);
    std::ifstream in(cluster_->data_dir() + "/endpoint.json");
    endpoint_ = nlohmann::json::parse(in);
  }
  // "VERDICT DETAIL" of everything found of this topic. The machine may have faults of its own, so that its exit status
  // says nothing here.
  std::vector<std::string> Findings(const std::string& topic) const {
    const RunResult doctor = cluster_->Enigma({"doctor", "--json"});
    const auto parsed = nlohmann::json::parse(doctor.out, nullptr, false);
    std::vector<std::string> found;
    if (!parsed.is_object()) {
      ADD_FAILURE() << doctor.out << doctor.err;
      return found;
    }
    for (const auto& finding : parsed.at("findings")) {
      if (finding.at("topic") != topic) continue;
      found.push_back(finding.at("verdict").get<std::string>() + " " + finding.at("detail").get<std::string>());
    }
    return found;
  }
  // An authority whose clock is ahead by so much issues these; its certificates are good for ten years.
  ServerCertificate Issue(const std::vector<std::string>& hosts, absl::Duration ahead = absl::ZeroDuration()) {
    const SkewedClock clock(ahead);
    const auto ca = CertificateAuthority::LoadOrCreate(files_.path() + "/ca" + std::to_string(issued_++), clock);
    EXPECT_TRUE(ca.ok()) << ca.status();
    const auto certificate = (*ca)->IssueForServer(hosts);
    EXPECT_TRUE(certificate.ok()) << certificate.status();
    return *certificate;
  }
  void WriteKey(const ServerCertificate& certificate) const { std::ofstream(key()) << certificate.private_key_pem; }
  void Write(const ServerCertificate& certificate) const {
    std::ofstream(chain()) << certificate.chain_pem;
    WriteKey(certificate);
  }
  std::string chain() const { return files_.path() + "/chain.pem"; }
  std::string key() const { return files_.path() + "/key.pem"; }
  std::string Told(const char* what) const { return endpoint_.value(what, ""); }

  const TemporaryDirectory files_;
  int issued_ = 0;
  std::unique_ptr<Cluster> cluster_;
  nlohmann::json endpoint_;
};

TEST_F(DoctorOfApiTest, PlainHttpIsNamedAsSuch) {
  StartCoordinator({});
  EXPECT_THAT(Findings("api"), UnorderedElementsAre("ok http://" + Told("http") + "/v1 takes connections"));
  EXPECT_THAT(Findings("certificate"), IsEmpty());
  EXPECT_THAT(cluster_->coordinator().Stdout(), HasSubstr(", HTTP port "));
}

TEST_F(DoctorOfApiTest, BothAddressesAndTheClustersOwnCertificateAreLookedAt) {
  StartCoordinator({"--tls-self-signed", "--public-grpc", "127.0.0.1:0"});
  const std::string https = "https://" + Told("http") + "/v1";
  const std::string grpc = "public gRPC at " + Told("public_grpc");
  EXPECT_THAT(Findings("api"),
              UnorderedElementsAre("ok " + https + " answers over TLS", "ok " + grpc + " answers over TLS"));
  const std::vector<std::string> certificates = Findings("certificate");
  ASSERT_EQ(certificates.size(), 1U);
  EXPECT_THAT(certificates[0],
              AllOf(HasSubstr("ok the certificate of " + https + " and " + grpc + " is for "), HasSubstr("localhost")));
  EXPECT_THAT(cluster_->coordinator().Stdout(), AllOf(HasSubstr(", HTTPS port "), HasSubstr("public gRPC port ")));
}

TEST_F(DoctorOfApiTest, ACertificateFromFilesIsHeldAgainstThem) {
  constexpr absl::Duration kLife = absl::Hours(24 * 3650);
  Write(Issue({"api.example.org"}, absl::Hours(24 * 5 + 1) - kLife));
  StartCoordinator({"--tls-cert", chain(), "--tls-key", key(), "--public-grpc", "127.0.0.1:0"});
  EXPECT_THAT(Findings("certificate"),
              UnorderedElementsAre(AllOf(HasSubstr("note "), HasSubstr("expires soon"), HasSubstr("in 5 days")),
                                   AllOf(HasSubstr("note "), HasSubstr("is for api.example.org: "),
                                         HasSubstr("clients that dial 127.0.0.1 refuse it"))));

  // Halfway through a renewal, or the wrong file: the key of another certificate.
  const ServerCertificate renewed = Issue({"localhost", "127.0.0.1"});
  WriteKey(renewed);
  EXPECT_THAT(Findings("certificate"),
              Contains(AllOf(HasSubstr("problem "), HasSubstr("would not start again"), HasSubstr(key()),
                             HasSubstr("does not belong to the certificate in " + chain()))));
  EXPECT_EQ(cluster_->Enigma({"doctor"}).status, 1);
  // It is looked at every five seconds, and by gRPC too; what was shown before still is, at both addresses.
  EXPECT_TRUE(cluster_->coordinator().WaitForOutput("is not taken over", std::chrono::seconds(30)));
  std::this_thread::sleep_for(std::chrono::seconds(6));
  EXPECT_THAT(Findings("api"), UnorderedElementsAre(HasSubstr("ok https://"), HasSubstr("ok public gRPC at ")));

  Write(renewed);
  std::vector<std::string> found;
  for (int i = 0; i < 60; ++i) {
    found = Findings("certificate");
    if (found.size() == 1 && found[0].rfind("ok ", 0) == 0) break;
    std::this_thread::sleep_for(std::chrono::milliseconds(500));
  }
  EXPECT_THAT(found, UnorderedElementsAre(AllOf(HasSubstr("ok "), HasSubstr(" and public gRPC at "),
                                                HasSubstr(" is for localhost, 127.0.0.1, until "))));

  Write(Issue({"localhost", "127.0.0.1"}, -2 * kLife));
  EXPECT_THAT(Findings("certificate"), Contains(AllOf(HasSubstr("problem "), HasSubstr(chain() + ": the certificate "
                                                                                                 "expired at "))));
}

TEST_F(DoctorOfApiTest, FilesThatHoldAnotherCertificateThanIsShownAreNoted) {
  Write(Issue({"localhost", "127.0.0.1"}));
  StartCoordinator({"--tls-cert", chain(), "--tls-key", key()});
  EXPECT_THAT(Findings("certificate"), UnorderedElementsAre(HasSubstr("ok ")));
  // Files that look untouched are not read again.
  const auto chain_time = std::filesystem::last_write_time(chain());
  const auto key_time = std::filesystem::last_write_time(key());
  const ServerCertificate other = Issue({"localhost", "127.0.0.1"});
  for (const auto& [path, text, time] :
       {std::tuple(chain(), other.chain_pem, chain_time), std::tuple(key(), other.private_key_pem, key_time)}) {
    std::ofstream(path + ".new") << text;
    std::filesystem::last_write_time(path + ".new", time);
    std::filesystem::rename(path + ".new", path);
  }
  EXPECT_THAT(Findings("certificate"),
              Contains(HasSubstr("note https://" + Told("http") + "/v1: not the certificate that is in " + chain())));
}

}  // namespace
}  // namespace enigma::testing
