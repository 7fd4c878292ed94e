// What clients that are no nodes meet: HTTP and gRPC over TLS, and an API key.
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <grpcpp/create_channel.h>
#include <gtest/gtest.h>

#include "rpc/certificate_authority.h"
#include "tests/unit/coordinator/coordinator_fixture.h"
#include "tests/unit/coordinator/http_client.h"
#include "tests/unit/coordinator/https_client.h"

namespace enigma::coordinator::testing {
namespace {

using ::testing::HasSubstr;

class PublicTlsTest : public CoordinatorTest {
 protected:
  Coordinator::Options TlsOptions() const {
    Coordinator::Options options = Options();
    options.insecure = false;
    options.public_grpc_host = "127.0.0.1";
    return options;
  }
  static std::string Contents(const std::string& path) {
    std::ifstream in(path);
    return std::string(std::istreambuf_iterator<char>(in), {});
  }
  std::string Write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ + "/" + name) << text;
    return folder_ + "/" + name;
  }
  // As a program dials that knows a CA and an address, and nothing of clusters.
  std::unique_ptr<enigma::v1::Cluster::Stub> DialPublic(const std::string& ca_pem) {
    const auto channel = grpc::CreateChannel(absl::StrCat("localhost:", coordinator_->public_grpc_port()),
                                             grpc::SslCredentials({ca_pem, "", ""}));
    inference_ = enigma::v1::Inference::NewStub(channel);
    return enigma::v1::Cluster::NewStub(channel);
  }
  grpc::Status ListModels(const std::string& key) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(20));
    if (!key.empty()) context.AddMetadata("authorization", "Bearer " + key);
    enigma::v1::ListModelsReply models;
    return inference_->ListModels(&context, {}, &models);
  }
};

TEST_F(PublicTlsTest, TheClustersOwnCaSignsForBothFronts) {
  Coordinator::Options options = TlsOptions();
  options.tls_self_signed = true;
  auto created = Coordinator::Create(options);
  ASSERT_TRUE(created.ok()) << created.status();
  coordinator_ = *std::move(created);
  const std::string ca = Contents(options.data_dir + "/pki/cluster-ca.crt");
  EXPECT_THAT(ca, HasSubstr("BEGIN CERTIFICATE"));
  EXPECT_THAT(ca, ::testing::Not(HasSubstr("PRIVATE KEY")));
  HttpsClient https(coordinator_->http_port(), ca, "localhost");
  ASSERT_EQ(https.error(), "");
  EXPECT_THAT(https.Get("/health"), HasSubstr("200 OK"));
  EXPECT_EQ(Get(coordinator_->http_port(), "/health").status, 400) << "plain HTTP is no longer spoken";

  const auto admin = LoadIdentity(options.data_dir + "/pki/admin.pem", absl::Now());
  ASSERT_TRUE(admin.ok()) << admin.status();
  UseChannel(MakeChannel(absl::StrCat("127.0.0.1:", coordinator_->grpc_port()), &*admin, ExpectedPeer::Coordinator()));
  grpc::ClientContext context;
  enigma::v1::CreateKeyRequest wanted;
  wanted.set_name("program");
  enigma::v1::CreateKeyReply key;
  ASSERT_TRUE(cluster_->CreateKey(&context, wanted, &key).ok());

  const auto cluster = DialPublic(ca);
  const grpc::Status listed = ListModels(key.secret());
  EXPECT_TRUE(listed.ok()) << listed.error_message();
  EXPECT_EQ(ListModels("enk-" + std::string(64, '0')).error_code(), grpc::StatusCode::UNAUTHENTICATED);
  // A key opens inference alone.
  grpc::ClientContext nodes_context;
  nodes_context.AddMetadata("authorization", "Bearer " + key.secret());
  enigma::v1::ListNodesReply nodes;
  EXPECT_EQ(cluster->ListNodes(&nodes_context, {}, &nodes).error_code(), grpc::StatusCode::UNAUTHENTICATED);
}

TEST_F(PublicTlsTest, ACertificateFromFilesIsUsedAndReadAgain) {
  const auto first = CertificateAuthority::LoadOrCreate(folder_ + "/first");
  const auto second = CertificateAuthority::LoadOrCreate(folder_ + "/second");
  ASSERT_TRUE(first.ok() && second.ok());
  const auto before = (*first)->IssueForServer({"localhost"});
  const auto after = (*second)->IssueForServer({"localhost"});
  ASSERT_TRUE(before.ok() && after.ok());
  Coordinator::Options options = TlsOptions();
  options.tls_chain_path = Write("chain.pem", before->chain_pem);
  options.tls_key_path = Write("key.pem", before->private_key_pem);
  auto created = Coordinator::Create(options);
  ASSERT_TRUE(created.ok()) << created.status();
  coordinator_ = *std::move(created);
  EXPECT_EQ(HttpsClient(coordinator_->http_port(), (*first)->certificate_pem(), "localhost").error(), "");
  DialPublic((*first)->certificate_pem());
  EXPECT_TRUE(ListModels("").ok()) << "a caller on this machine needs no key";
  DialPublic((*second)->certificate_pem());
  EXPECT_EQ(ListModels("").error_code(), grpc::StatusCode::UNAVAILABLE);

  Write("chain.pem", after->chain_pem);
  Write("key.pem", after->private_key_pem);
  EXPECT_TRUE(Eventually([&] {
    return HttpsClient(coordinator_->http_port(), (*second)->certificate_pem(), "localhost").error().empty();
  }));
  EXPECT_TRUE(Eventually([&] {
    DialPublic((*second)->certificate_pem());
    return ListModels("").ok();
  }));
}

TEST_F(PublicTlsTest, TheCopyForPublicGrpcHoldsTheKeyAndThenTheChainOnce) {
  const auto ca = CertificateAuthority::LoadOrCreate(folder_ + "/ca");
  ASSERT_TRUE(ca.ok()) << ca.status();
  const auto certificate = (*ca)->IssueForServer({"localhost"});
  ASSERT_TRUE(certificate.ok()) << certificate.status();
  Coordinator::Options options = TlsOptions();
  options.tls_chain_path = Write("both.pem", certificate->chain_pem + certificate->private_key_pem);
  options.tls_key_path = options.tls_chain_path;
  auto created = Coordinator::Create(options);
  ASSERT_TRUE(created.ok()) << created.status();
  coordinator_ = *std::move(created);
  EXPECT_EQ(Contents(options.data_dir + "/pki/public.pem"),
            certificate->private_key_pem + "\n" + certificate->chain_pem);
  DialPublic((*ca)->certificate_pem());
  EXPECT_TRUE(ListModels("").ok());
}

TEST_F(PublicTlsTest, ARenewalThatCannotBeWrittenForPublicGrpcIsTriedAgain) {
  const auto first = CertificateAuthority::LoadOrCreate(folder_ + "/first");
  const auto second = CertificateAuthority::LoadOrCreate(folder_ + "/second");
  ASSERT_TRUE(first.ok() && second.ok());
  const auto before = (*first)->IssueForServer({"localhost"});
  const auto after = (*second)->IssueForServer({"localhost"});
  ASSERT_TRUE(before.ok() && after.ok());
  Coordinator::Options options = TlsOptions();
  options.tls_chain_path = Write("chain.pem", before->chain_pem);
  options.tls_key_path = Write("key.pem", before->private_key_pem);
  auto created = Coordinator::Create(options);
  ASSERT_TRUE(created.ok()) << created.status();
  coordinator_ = *std::move(created);

  // A file in the folder's place: nothing can be written there, not even by root.
  const std::string pki = options.data_dir + "/pki";
  std::filesystem::rename(pki, folder_ + "/away");
  Write("data/pki", "no folder");
  Write("chain.pem", after->chain_pem);
  Write("key.pem", after->private_key_pem);
  EXPECT_TRUE(Eventually([&] {
    return HttpsClient(coordinator_->http_port(), (*second)->certificate_pem(), "localhost").error().empty();
  }));
  std::filesystem::remove(pki);
  std::filesystem::rename(folder_ + "/away", pki);
  EXPECT_TRUE(
      Eventually([&] { return Contents(pki + "/public.pem") == after->private_key_pem + "\n" + after->chain_pem; }));
}

TEST_F(PublicTlsTest, WhatAKilledOneLeftOfTheKeyGoesAtTheNextStart) {
  Coordinator::Options options = TlsOptions();
  options.public_grpc_host.clear();
  const std::string pki = options.data_dir + "/pki";
  std::filesystem::create_directories(pki);
  for (const char* name : {"public.pem", "public.pem.12ab.tmp", "public.txt"}) {
    Write(absl::StrCat("data/pki/", name), "a key");
  }
  auto created = Coordinator::Create(options);
  ASSERT_TRUE(created.ok()) << created.status();
  coordinator_ = *std::move(created);
  EXPECT_FALSE(std::filesystem::exists(pki + "/public.pem"));
  EXPECT_FALSE(std::filesystem::exists(pki + "/public.pem.12ab.tmp"));
  EXPECT_TRUE(std::filesystem::exists(pki + "/public.txt"));
}

TEST_F(PublicTlsTest, FilesThatAreWrongAreNamedAtTheStart) {
  Coordinator::Options options = TlsOptions();
  options.tls_chain_path = Write("chain.pem", "nothing of the kind");
  options.tls_key_path = folder_ + "/absent.pem";
  EXPECT_THAT(std::string(Coordinator::Create(options).status().message()), HasSubstr("absent.pem"));
  options.tls_key_path = options.tls_chain_path;
  EXPECT_THAT(std::string(Coordinator::Create(options).status().message()), HasSubstr("chain.pem: it holds no PEM"));
  options.tls_chain_path.clear();
  options.tls_key_path.clear();
  EXPECT_THAT(std::string(Coordinator::Create(options).status().message()), HasSubstr("needs a certificate"));
}

}  // namespace
}  // namespace enigma::coordinator::testing
