#include <memory>
#include <string>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/clock.h>
#include <gmock/gmock.h>
#include <grpcpp/client_context.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "proto/membership.grpc.pb.h"
#include "proto/worker.grpc.pb.h"
#include "rpc/authorisation.h"
#include "rpc/certificate_authority.h"
#include "rpc/channel.h"
#include "rpc/join.h"
#include "rpc/server.h"
#include "rpc/status_conversion.h"
#include "tests/support/message_of.h"
#include "tests/unit/rpc/scratch_folder.h"
#include "tests/unit/rpc/test_clock.h"

namespace enigma {
namespace {

using ::enigma::testing::MessageOf;

using ::testing::HasSubstr;

// Echo for certified workers and coordinators, in the style of a real service.
class EchoService final : public v1::Worker::Service {
 public:
  explicit EchoService(Authoriser authoriser) : authoriser_(std::move(authoriser)) {}

  grpc::Status Echo(grpc::ServerContext* context, const v1::EchoRequest* request, v1::EchoReply* reply) override {
    const auto peer = authoriser_.Authorise(*context, {Role::kWorker, Role::kCoordinator});
    if (!peer.ok()) return ToGrpc(peer.status());
    {
      absl::MutexLock lock(&mutex_);
      last_peer_ = peer->node_id;
    }
    reply->set_received_bytes(request->payload().size());
    return grpc::Status::OK;
  }

  std::string last_peer() const {
    absl::MutexLock lock(&mutex_);
    return last_peer_;
  }

 private:
  const Authoriser authoriser_;
  mutable absl::Mutex mutex_;
  std::string last_peer_ ABSL_GUARDED_BY(mutex_);
};

class JoinService final : public v1::Membership::Service {
 public:
  JoinService(const CertificateAuthority& authority, FindJoinToken find, const Clock& clock = Clock::System())
      : authority_(authority), find_(std::move(find)), clock_(clock) {}

  grpc::Status Join(grpc::ServerContext*, const v1::JoinRequest* request, v1::JoinReply* reply) override {
    auto answer = AnswerJoin(*request, authority_, find_, clock_);
    if (!answer.ok()) return ToGrpc(answer.status());
    *reply = *std::move(answer);
    return grpc::Status::OK;
  }

 private:
  const CertificateAuthority& authority_;
  const FindJoinToken find_;
  const Clock& clock_;
};

absl::Status CallEcho(const std::shared_ptr<grpc::Channel>& channel, size_t bytes = 3) {
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + absl::Seconds(10)));
  v1::EchoRequest request;
  request.set_payload(std::string(bytes, 'x'));
  v1::EchoReply reply;
  const absl::Status status = FromGrpc(v1::Worker::NewStub(channel)->Echo(&context, request, &reply));
  if (status.ok()) {
    EXPECT_EQ(reply.received_bytes(), bytes);
  }
  return status;
}

class MutualTls : public ::testing::Test {
 protected:
  void SetUp() override {
    ca_ = Ca("ours");
    foreign_ca_ = Ca("theirs");
    server_identity_ = std::make_unique<NodeIdentity>(*ca_->Issue("server", Role::kWorker));
    service_ = std::make_unique<EchoService>(Authoriser::ForCluster(ca_->cluster_id()));
    ServerOptions options;
    options.host = "127.0.0.1";
    options.identity = server_identity_.get();
    options.services = {service_.get()};
    auto server = RpcServer::Start(options);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    endpoint_ = "127.0.0.1:" + std::to_string(server_->port());
  }

  std::unique_ptr<CertificateAuthority> Ca(const std::string& name) {
    auto ca = CertificateAuthority::LoadOrCreate(folder_ / name);
    EXPECT_TRUE(ca.ok()) << ca.status();
    return *std::move(ca);
  }

  ScratchFolder folder_;
  std::unique_ptr<CertificateAuthority> ca_, foreign_ca_;
  std::unique_ptr<NodeIdentity> server_identity_;
  std::unique_ptr<EchoService> service_;
  std::unique_ptr<RpcServer> server_;
  std::string endpoint_;
};

TEST_F(MutualTls, ANodeOfTheClusterIsServedAndKnownByItsId) {
  const auto identity = ca_->Issue("caller-7", Role::kWorker);
  ASSERT_TRUE(identity.ok());
  EXPECT_TRUE(CallEcho(MakeChannel(endpoint_, &*identity, ExpectedPeer::Node("server"))).ok());
  EXPECT_EQ(service_->last_peer(), "caller-7");
  EXPECT_TRUE(CallEcho(MakeChannel(endpoint_, &*identity, ExpectedPeer::AnyNode()), 8 << 20).ok());
  EXPECT_TRUE(DiagnoseChannel(endpoint_, &*identity, ExpectedPeer::Node("server"), absl::Now()).ok());
}

TEST_F(MutualTls, AnotherNodeThanTheExpectedOneIsNotSpokenTo) {
  const auto identity = ca_->Issue("caller", Role::kWorker);
  ASSERT_TRUE(identity.ok());
  for (const auto& expected : {ExpectedPeer::Node("somebody"), ExpectedPeer::Coordinator()}) {
    EXPECT_EQ(CallEcho(MakeChannel(endpoint_, &*identity, expected)).code(), absl::StatusCode::kUnavailable);
    const absl::Status why = DiagnoseChannel(endpoint_, &*identity, expected, absl::Now());
    EXPECT_EQ(why.code(), absl::StatusCode::kUnauthenticated);
    EXPECT_THAT(MessageOf(why), HasSubstr("worker server"));
  }
}

TEST_F(MutualTls, WithoutACertificateNothingIsServed) {
  grpc::ChannelArguments arguments;
  arguments.SetSslTargetNameOverride(AnyNodeTlsName());
  const auto channel =
      grpc::CreateCustomChannel(endpoint_, grpc::SslCredentials({ca_->certificate_pem(), "", ""}), arguments);
  const absl::Status status = CallEcho(channel);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnauthenticated) << status;
  EXPECT_THAT(MessageOf(status), HasSubstr("enigma token create"));
}

TEST_F(MutualTls, PlainTextIsNotServed) {
  EXPECT_EQ(CallEcho(MakeChannel(endpoint_, nullptr, ExpectedPeer::AnyNode())).code(), absl::StatusCode::kUnavailable);
}

TEST_F(MutualTls, AnotherClustersNodeIsRefused) {
  const auto foreign = foreign_ca_->Issue("caller", Role::kWorker);
  ASSERT_TRUE(foreign.ok());
  // It distrusts the server ...
  EXPECT_FALSE(CallEcho(MakeChannel(endpoint_, &*foreign, ExpectedPeer::AnyNode())).ok());
  const absl::Status why = DiagnoseChannel(endpoint_, &*foreign, ExpectedPeer::AnyNode(), absl::Now());
  EXPECT_EQ(why.code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(MessageOf(why), HasSubstr("not issued by this cluster's CA"));
  // ... and when it does not, the server refuses it.
  NodeIdentity credulous = *foreign;
  credulous.ca_certificate_pem = ca_->certificate_pem();
  EXPECT_FALSE(CallEcho(MakeChannel(endpoint_, &credulous, ExpectedPeer::AnyNode())).ok());
  EXPECT_EQ(service_->last_peer(), "");
}

TEST_F(MutualTls, ARoleThatIsNotServedIsRefused) {
  const auto admin = ca_->Issue("operator", Role::kAdmin);
  ASSERT_TRUE(admin.ok());
  EXPECT_EQ(CallEcho(MakeChannel(endpoint_, &*admin, ExpectedPeer::AnyNode())).code(),
            absl::StatusCode::kPermissionDenied);
}

TEST_F(MutualTls, CertificatesOutOfTimeAreDiagnosedAsClockSkew) {
  const SkewedClock ahead(absl::Hours(72));
  auto ca = CertificateAuthority::LoadOrCreate(folder_ / "ours", ahead);
  ASSERT_TRUE(ca.ok());
  const auto early = (*ca)->Issue("early", Role::kWorker);
  ASSERT_TRUE(early.ok()) << early.status();
  EXPECT_FALSE(CallEcho(MakeChannel(endpoint_, &*early, ExpectedPeer::AnyNode())).ok());
  const absl::Status why = DiagnoseChannel(endpoint_, &*early, ExpectedPeer::AnyNode(), absl::Now());
  EXPECT_EQ(why.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(MessageOf(why), HasSubstr("clocks of the two machines differ"));
}

TEST_F(MutualTls, NobodyThereAndNoTlsAreToldApart) {
  const auto identity = ca_->Issue("caller", Role::kWorker);
  ASSERT_TRUE(identity.ok());
  auto plain = RpcServer::Start({.host = "127.0.0.1"});
  ASSERT_TRUE(plain.ok());
  const std::string plain_endpoint = "127.0.0.1:" + std::to_string((*plain)->port());
  EXPECT_THAT(MessageOf(DiagnoseChannel(plain_endpoint, &*identity, ExpectedPeer::AnyNode(), absl::Now())),
              HasSubstr("does not speak TLS"));
  EXPECT_TRUE(DiagnoseChannel(plain_endpoint, nullptr, ExpectedPeer::AnyNode(), absl::Now()).ok());
  (*plain)->Shutdown();
  plain->reset();
  EXPECT_THAT(MessageOf(DiagnoseChannel(plain_endpoint, &*identity, ExpectedPeer::AnyNode(), absl::Now())),
              HasSubstr("Connection refused"));
}

TEST(RpcServer, InsecureServesEverybody) {
  EchoService service(Authoriser::Insecure());
  ServerOptions options;
  options.host = "127.0.0.1";
  options.services = {&service};
  auto server = RpcServer::Start(options);
  ASSERT_TRUE(server.ok()) << server.status();
  const std::string endpoint = "127.0.0.1:" + std::to_string((*server)->port());
  EXPECT_TRUE(CallEcho(MakeChannel(endpoint, nullptr, ExpectedPeer::AnyNode())).ok());
}

TEST(RpcServer, ABusyPortIsNamed) {
  auto first = RpcServer::Start({});
  ASSERT_TRUE(first.ok()) << first.status();
  for (const char* host : {"0.0.0.0", "127.0.0.1"}) {
    const auto second = RpcServer::Start({.host = host, .port = (*first)->port()});
    ASSERT_EQ(second.status().code(), absl::StatusCode::kAlreadyExists) << second.status();
    EXPECT_THAT(MessageOf(second.status()), HasSubstr("port " + std::to_string((*first)->port()) + " is in use"));
  }
  const auto nowhere = RpcServer::Start({.host = "192.0.2.1"});
  EXPECT_EQ(nowhere.status().code(), absl::StatusCode::kInvalidArgument) << nowhere.status();
}

class Joining : public MutualTls {
 protected:
  void SetUp() override {
    MutualTls::SetUp();
    coordinator_ = std::make_unique<NodeIdentity>(*ca_->Issue("boss", Role::kCoordinator));
    made_ = *MakeJoinToken(ca_->cluster_id(), ca_->pin(), absl::Now() + absl::Hours(1));
    Serve(Clock::System());
  }

  void Serve(const Clock& clock) {
    join_server_.reset();
    const FindJoinToken find = [this](const std::string& id) -> absl::StatusOr<JoinTokenRecord> {
      if (id == made_->record.token_id) return made_->record;
      return absl::NotFoundError("no such token");
    };
    join_service_ = std::make_unique<JoinService>(*ca_, find, clock);
    ServerOptions options;
    options.host = "127.0.0.1";
    options.identity = coordinator_.get();
    options.services = {join_service_.get()};
    auto server = RpcServer::Start(options);
    ASSERT_TRUE(server.ok()) << server.status();
    join_server_ = *std::move(server);
    options_.endpoint = "127.0.0.1:" + std::to_string(join_server_->port());
    options_.node_id = "newcomer";
  }

  std::unique_ptr<NodeIdentity> coordinator_;
  std::optional<NewJoinToken> made_;
  std::unique_ptr<JoinService> join_service_;
  std::unique_ptr<RpcServer> join_server_;
  JoinOptions options_;
};

TEST_F(Joining, AValidTokenMakesANodeThatOthersServe) {
  const auto identity = JoinCluster(made_->token, options_);
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_EQ(identity->node_id, "newcomer");
  EXPECT_EQ(identity->role, Role::kWorker);
  EXPECT_EQ(identity->cluster_id, ca_->cluster_id());
  EXPECT_TRUE(CallEcho(MakeChannel(endpoint_, &*identity, ExpectedPeer::Node("server"))).ok());
  EXPECT_EQ(service_->last_peer(), "newcomer");
}

TEST_F(Joining, AWrongSecretAndAnUnknownTokenReadTheSame) {
  JoinToken wrong = made_->token;
  wrong.secret[0] = static_cast<char>(wrong.secret[0] ^ 1);
  JoinToken unknown = made_->token;
  unknown.token_id = "0000000000000000";
  const auto first = JoinCluster(wrong, options_);
  const auto second = JoinCluster(unknown, options_);
  EXPECT_EQ(first.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_EQ(first.status(), second.status());
}

TEST_F(Joining, AnExpiredTokenIsRefused) {
  made_->record.expires = absl::Now() - absl::Minutes(5);
  const auto identity = JoinCluster(made_->token, options_);
  EXPECT_EQ(identity.status().code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(MessageOf(identity.status()), HasSubstr("expired 5m"));
}

TEST_F(Joining, ATokenAdmitsWorkersOnly) {
  for (const Role role : {Role::kCoordinator, Role::kAdmin}) {
    options_.role = role;
    const auto identity = JoinCluster(made_->token, options_);
    EXPECT_EQ(identity.status().code(), absl::StatusCode::kPermissionDenied) << identity.status();
  }
}

TEST_F(Joining, AnotherClustersTokenNeverLeavesTheMachine) {
  const auto foreign = MakeJoinToken(foreign_ca_->cluster_id(), foreign_ca_->pin(), absl::InfiniteFuture());
  ASSERT_TRUE(foreign.ok());
  const auto identity = JoinCluster(foreign->token, options_);
  EXPECT_EQ(identity.status().code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(MessageOf(identity.status()), HasSubstr("its CA is another one"));
}

TEST_F(Joining, AWorkerCannotPassForTheCoordinator) {
  options_.endpoint = endpoint_;
  const auto identity = JoinCluster(made_->token, options_);
  EXPECT_EQ(identity.status().code(), absl::StatusCode::kUnauthenticated);
  EXPECT_THAT(MessageOf(identity.status()), HasSubstr("worker server"));
}

TEST_F(Joining, AClockThatLagsIsNamed) {
  const SkewedClock behind(-absl::Hours(48) - absl::Minutes(30) - absl::Seconds(30));
  const auto identity = JoinCluster(made_->token, options_, behind);
  EXPECT_EQ(identity.status().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(MessageOf(identity.status()), HasSubstr("clocks of the two machines differ by at least 24h30m"));
}

TEST_F(Joining, NobodyThere) {
  join_server_.reset();
  options_.timeout = absl::Seconds(2);
  const auto identity = JoinCluster(made_->token, options_);
  EXPECT_EQ(identity.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(MessageOf(identity.status()), HasSubstr(options_.endpoint));
}

}  // namespace
}  // namespace enigma
