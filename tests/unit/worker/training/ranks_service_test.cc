#include "worker/training/ranks_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rpc/channel.h"
#include "rpc/server.h"
#include "rpc/status_conversion.h"
#include "tests/support/eventually.h"
#include "tests/unit/worker/training/rank_fixture.h"

namespace enigma::worker {
namespace {

using enigma::testing::Eventually;
using ::testing::HasSubstr;

// A worker's Ranks service over gRPC, with trainers that count.
class Service : public RankFixture {
 protected:
  // One Run stream.
  struct Stream {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReaderWriter<v1::RankOrder, v1::RankEvent>> calls;
    ~Stream() { context.TryCancel(); }
  };

  Service() {
    registry_ = std::make_unique<RankRegistry>(
        RankRegistry::Options{
            .node_id = "a", .threads = 1, .tools = tools_, .free_bytes = [this] { return free_bytes_.load(); }},
        clock_);
    service_ = std::make_unique<RanksService>(*registry_, Authoriser::Insecure());
    ServerOptions options;
    options.host = "127.0.0.1";
    options.services = {service_.get()};
    server_ = *RpcServer::Start(options);
    stub_ = v1::Ranks::NewStub(
        MakeChannel("127.0.0.1:" + std::to_string(server_->port()), nullptr, ExpectedPeer::AnyNode()));
  }
  ~Service() override {
    registry_->Close(absl::CancelledError("the test is over"));
    server_->Shutdown();
  }

  std::unique_ptr<Stream> Open() {
    auto stream = std::make_unique<Stream>();
    stream->calls = stub_->Run(&stream->context);
    v1::RankOrder order;
    *order.mutable_prepare() = order_;
    order.mutable_prepare()->set_config_json(engine::TrainingConfigToJson(config_));
    asked_.fetch_add(1, std::memory_order_release);
    stream->calls->Write(order);
    return stream;
  }
  static v1::RankEvent Read(Stream& stream) {
    v1::RankEvent event;
    EXPECT_TRUE(stream.calls->Read(&event));
    return event;
  }
  // Events up to a standing in this phase; that one.
  static v1::RankStanding ReadUntil(Stream& stream, v1::RankPhase phase) {
    v1::RankEvent event;
    while (stream.calls->Read(&event)) {
      if (event.has_standing() && event.standing().phase() == phase) return event.standing();
    }
    ADD_FAILURE() << "the stream ended";
    return {};
  }
  void BeginAlone(Stream& stream, uint64_t epoch, uint64_t step) {
    v1::RankOrder order;
    *order.mutable_begin() = BeginOf(epoch, step, {"a"});
    EXPECT_TRUE(stream.calls->Write(order));
  }

  std::atomic<uint64_t> free_bytes_{1 << 20};
  std::unique_ptr<RankRegistry> registry_;
  std::unique_ptr<RanksService> service_;
  std::unique_ptr<RpcServer> server_;
  std::unique_ptr<v1::Ranks::Stub> stub_;
};

TEST_F(Service, OneStreamFromPreparationToTheEnd) {
  const auto stream = Open();
  ReadUntil(*stream, v1::RANK_READY);
  BeginAlone(*stream, 1, 0);
  EXPECT_EQ(ReadUntil(*stream, v1::RANK_FINISHED).step(), 20U);
  v1::RankOrder finish;
  finish.mutable_finish()->set_reason("all is done");
  ASSERT_TRUE(stream->calls->Write(finish));
  v1::RankEvent event;
  while (stream->calls->Read(&event)) {
  }
  const absl::Status ended = FromGrpc(stream->calls->Finish());
  EXPECT_TRUE(ended.ok()) << ended;
  EXPECT_EQ(registry_->size(), 0U);
}

TEST_F(Service, TrainingGoesOnWithoutTheCoordinatorWhichFindsItsRankAgain) {
  hooks_[""].before_slot = [](uint64_t, uint32_t slot) {
    if (slot == 0) absl::SleepFor(absl::Milliseconds(10));
  };
  auto stream = Open();
  ReadUntil(*stream, v1::RANK_READY);
  BeginAlone(*stream, 1, 0);
  ReadUntil(*stream, v1::RANK_RUNNING);
  stream.reset();
  const std::shared_ptr<RankRunner> rank = *registry_->Find(kJob);
  ASSERT_TRUE(Eventually([&] { return rank->reporter().standing().step() >= 5; }));
  stream = Open();
  const v1::RankEvent first = Read(*stream);
  ASSERT_TRUE(first.has_standing());
  EXPECT_EQ(first.standing().phase(), v1::RANK_RUNNING);
  EXPECT_EQ(first.standing().epoch(), 1U);
  EXPECT_GE(first.standing().step(), 5U);
  EXPECT_EQ(ReadUntil(*stream, v1::RANK_FINISHED).step(), 20U);
}

TEST_F(Service, ASecondStreamTakesThePlaceOfTheFirst) {
  const auto first = Open();
  ReadUntil(*first, v1::RANK_READY);
  const auto second = Open();
  ReadUntil(*second, v1::RANK_READY);
  v1::RankEvent event;
  EXPECT_FALSE(first->calls->Read(&event));
  EXPECT_FALSE(first->calls->Finish().ok());
  BeginAlone(*second, 1, 0);
  ReadUntil(*second, v1::RANK_FINISHED);
}

TEST_F(Service, ARefusalIsTold) {
  free_bytes_ = 10;
  const auto stream = Open();
  const v1::RankEvent event = Read(*stream);
  ASSERT_TRUE(event.has_failed());
  EXPECT_EQ(event.failed().code(), static_cast<uint32_t>(absl::StatusCode::kResourceExhausted));
  EXPECT_TRUE(absl::IsResourceExhausted(FromGrpc(stream->calls->Finish())));
}

TEST_F(Service, AStreamBeginsWithWhatToPrepare) {
  Stream stream;
  stream.calls = stub_->Run(&stream.context);
  v1::RankOrder order;
  order.mutable_halt();
  stream.calls->Write(order);
  EXPECT_TRUE(absl::IsInvalidArgument(FromGrpc(stream.calls->Finish())));
}

TEST_F(Service, StatesAreServedToThoseThatAskForTheRightStep) {
  const auto stream = Open();
  ReadUntil(*stream, v1::RANK_READY);
  BeginAlone(*stream, 1, 0);
  ReadUntil(*stream, v1::RANK_FINISHED);
  const auto fetch = [&](uint64_t job, uint64_t step, std::string& bytes) {
    grpc::ClientContext context;
    v1::FetchStateRequest request;
    request.set_job(job);
    request.set_step(step);
    const auto reader = stub_->FetchState(&context, request);
    v1::FileChunk chunk;
    uint64_t total = 0;
    while (reader->Read(&chunk)) {
      total += chunk.total_bytes();
      bytes += chunk.data();
    }
    const absl::Status status = FromGrpc(reader->Finish());
    EXPECT_EQ(total, bytes.size());
    return status;
  };
  std::string bytes;
  const absl::Status fetched = fetch(kJob, 20, bytes);
  ASSERT_TRUE(fetched.ok()) << fetched;
  EXPECT_EQ(CountingTrainer::WeightsOf(CountingTrainer::Unpack(bytes)), CountingTrainer::Expected(20, kSlots));
  std::string nothing;
  EXPECT_TRUE(absl::IsFailedPrecondition(fetch(kJob, 19, nothing)));
  EXPECT_TRUE(absl::IsNotFound(fetch(kJob + 1, 20, nothing)));
}

TEST_F(Service, OnlyTheClusterIsServed) {
  RanksService strict(*registry_, Authoriser::ForCluster("some cluster"));
  ServerOptions options;
  options.host = "127.0.0.1";
  options.services = {&strict};
  const auto server = *RpcServer::Start(options);
  const auto stub =
      v1::Ranks::NewStub(MakeChannel("127.0.0.1:" + std::to_string(server->port()), nullptr, ExpectedPeer::AnyNode()));
  grpc::ClientContext run_context, fetch_context;
  const auto run = stub->Run(&run_context);
  EXPECT_TRUE(absl::IsUnauthenticated(FromGrpc(run->Finish())));
  const auto fetch = stub->FetchState(&fetch_context, {});
  EXPECT_TRUE(absl::IsUnauthenticated(FromGrpc(fetch->Finish())));
}

}  // namespace
}  // namespace enigma::worker
