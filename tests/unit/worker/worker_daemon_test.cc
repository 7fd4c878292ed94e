#include <unistd.h>

#include <filesystem>
#include <future>
#include <thread>

#include <absl/synchronization/notification.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/sampling/local_generator.h"
#include "rpc/channel.h"
#include "rpc/status_conversion.h"
#include "tests/support/synthetic_models.h"
#include "tests/unit/worker/small_coordinator.h"
#include "worker/capability/host_turn.h"
#include "worker/pipeline/sampling_params.h"
#include "worker/worker.h"

namespace enigma::worker {
namespace {

using ::testing::AllOf;
using ::testing::AnyOf;
using ::testing::HasSubstr;

class WorkerDaemon : public ::testing::Test {
 protected:
  // A worker on a thread of its own.
  struct Running {
    std::unique_ptr<Worker> worker;
    absl::Status ended;
    std::thread thread;
    void Join() {
      if (thread.joinable()) thread.join();
    }
  };

  WorkerDaemon()
      : folder_(::testing::TempDir() + "/worker_daemon_" + std::to_string(::getpid())),
        model_(enigma::testing::SyntheticModelPath("tiny", "q8_0")) {
    std::filesystem::remove_all(folder_);
    coordinator_ = std::make_unique<SmallCoordinator>(folder_ + "/coordinator", model_);
  }
  ~WorkerDaemon() override {
    for (const auto& running : workers_) running->worker->Stop();
    for (const auto& running : workers_) running->Join();
    coordinator_.reset();
    std::filesystem::remove_all(folder_);
  }

  Running& Start(const std::string& name, const std::string& token) {
    Worker::Options options;
    options.data_dir = folder_ + "/" + name;
    options.host = "127.0.0.1";
    options.port = 0;
    options.coordinators = {coordinator_->endpoint()};
    options.token = token;
    options.threads = 1;
    options.udp = false;
    options.metrics_port = -1;
    auto worker = Worker::Create(options);
    EXPECT_TRUE(worker.ok()) << worker.status();
    workers_.push_back(std::make_unique<Running>());
    Running& running = *workers_.back();
    running.worker = *std::move(worker);
    running.thread = std::thread([&running] { running.ended = running.worker->Run(); });
    return running;
  }

  v1::NodeAddress AddressOf(const v1::WorkerHello& hello) {
    v1::NodeAddress address;
    address.set_node_id(hello.node_id());
    address.add_endpoints("127.0.0.1:" + std::to_string(hello.grpc_port()));
    return address;
  }

  // Loads layers [first, last) of four as stage `index` of `count`; the final progress message.
  v1::LoadStageProgress Load(v1::Worker::Stub& worker, uint64_t replica, uint32_t index, uint32_t count, uint32_t first,
                             uint32_t last, const std::vector<v1::NodeAddress>& sources) {
    v1::LoadStageRequest request;
    request.set_replica(replica);
    request.set_model("test");
    request.set_manifest_json(engine::ManifestToJson(coordinator_->manifest()));
    request.set_stage_index(index);
    request.set_stage_count(count);
    request.set_first_layer(first);
    request.set_last_layer(last);
    request.set_kv_blocks(16);
    request.set_kv_type(static_cast<uint32_t>(engine::KvType::kF16));
    request.set_context(512);
    request.set_max_rows(128);
    for (const v1::NodeAddress& source : sources) *request.add_sources() = source;
    grpc::ClientContext context;
    const auto reader = worker.LoadStage(&context, request);
    v1::LoadStageProgress progress;
    while (reader->Read(&progress)) {
    }
    const grpc::Status status = reader->Finish();
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_TRUE(progress.done());
    return progress;
  }

  void Connect(v1::Worker::Stub& worker, uint64_t replica, const v1::WorkerHello& next) {
    v1::ConnectStageRequest request;
    request.set_replica(replica);
    *request.mutable_next() = AddressOf(next);
    grpc::ClientContext context;
    v1::ConnectStageReply reply;
    const grpc::Status status = worker.ConnectStage(&context, request, &reply);
    EXPECT_TRUE(status.ok()) << status.error_message();
  }

  std::vector<int32_t> Generate(v1::Worker::Stub& first, v1::Worker::Stub& last, uint64_t replica,
                                const v1::OpenSequence& open) {
    grpc::ClientContext tokens_context, submit_context;
    v1::TokensRequest tokens_request;
    tokens_request.set_replica(replica);
    const auto tokens = last.Tokens(&tokens_context, tokens_request);
    v1::TokenEvents events;
    EXPECT_TRUE(tokens->Read(&events) && events.attached());
    const auto submit = first.Submit(&submit_context);
    v1::SequenceCommand command;
    command.set_attach(replica);
    submit->Write(command);
    v1::SubmitReply reply;
    EXPECT_TRUE(submit->Read(&reply) && reply.attached());
    *command.mutable_open() = open;
    submit->Write(command);
    std::vector<int32_t> ids;
    for (bool ended = false; !ended && tokens->Read(&events);) {
      for (const v1::TokenEvent& event : events.events()) {
        ids.push_back(event.id());
        ended = !event.finish_reason().empty();
      }
    }
    submit->WritesDone();
    submit_context.TryCancel();
    tokens_context.TryCancel();
    return ids;
  }

  const std::string folder_;
  const std::string model_;
  std::unique_ptr<SmallCoordinator> coordinator_;
  std::vector<std::unique_ptr<Running>> workers_;
};

// Two that measure at once on one machine would each find half of it.
TEST_F(WorkerDaemon, MeasuresWhenNobodyElseOnTheHostDoes) {
  const absl::Notification never;
  auto turn = std::make_unique<HostTurn>(HostTurn::Await("enigma-measures", absl::Seconds(60), never));
  ASSERT_TRUE(turn->held());
  Start("patient", coordinator_->token());
  const std::string node = coordinator_->AwaitHellos(1).front().node_id();
  const auto measured = std::async(std::launch::async, [&] { return coordinator_->AwaitCapability(node); });
  EXPECT_EQ(measured.wait_for(std::chrono::seconds(3)), std::future_status::timeout);
  turn.reset();
  EXPECT_EQ(measured.wait_for(std::chrono::seconds(60)), std::future_status::ready);
}

TEST_F(WorkerDaemon, JoinsLoadsAnswersAndMovesNoByteTwice) {
  Start("one", coordinator_->token());
  Start("two", coordinator_->token());
  const std::vector<v1::WorkerHello> hellos = coordinator_->AwaitHellos(2);
  ASSERT_EQ(hellos.size(), 2U);
  for (const v1::WorkerHello& hello : hellos) {
    EXPECT_GT(hello.capability().memory_free_bytes(), 0U);
    EXPECT_EQ(hello.capability().contract(), "cpu-v1");
    EXPECT_TRUE(hello.capability().encodes_pictures());
    // It attends without waiting for its measurement, which is then told apart.
    const bool told_at_once = hello.capability().memory_bytes_per_second() > 0;
    const v1::Capability measured = told_at_once ? hello.capability() : coordinator_->AwaitCapability(hello.node_id());
    EXPECT_GT(measured.memory_bytes_per_second(), 0);
    EXPECT_GT(measured.flops_per_second(), 0);
    EXPECT_GT(measured.memory_free_bytes(), 0U);
    EXPECT_EQ(measured.contract(), "cpu-v1");
  }
  const auto one = coordinator_->Dial(hellos[0]);
  const auto two = coordinator_->Dial(hellos[1]);

  const v1::LoadStageProgress first = Load(*one, 1, 0, 2, 0, 2, {coordinator_->address()});
  EXPECT_GT(first.bytes_fetched(), 0U);
  EXPECT_EQ(first.bytes_fetched(), first.bytes_needed());
  EXPECT_GT(first.weight_bytes(), 0U);
  Load(*two, 1, 1, 2, 2, 4, {AddressOf(hellos[0]), coordinator_->address()});
  Connect(*one, 1, hellos[1]);
  Connect(*two, 1, hellos[0]);

  v1::OpenSequence open;
  open.set_sequence(1);
  for (const int32_t id : {5, 6, 7, 8, 9, 10}) open.add_prompt(id);
  open.mutable_sampling()->set_temperature(0.8F);
  open.mutable_sampling()->set_seed(4);
  open.mutable_sampling()->set_max_tokens(16);
  open.mutable_sampling()->set_ignore_eos(true);
  const auto local = engine::LocalGenerator::Open(model_, {.kv_type = engine::KvType::kF16});
  ASSERT_TRUE(local.ok()) << local.status();
  const auto expected = (*local)->Generate({open.prompt().begin(), open.prompt().end()}, FromProto(open.sampling()),
                                           [](auto) { return true; });
  ASSERT_TRUE(expected.ok());
  EXPECT_EQ(Generate(*one, *two, 1, open), expected->ids);

  // An output by schema, prepared on the last stage alone.
  const auto prepare = [&two](uint64_t replica, const std::string& schema) {
    grpc::ClientContext prepare_context;
    v1::PrepareConstraintRequest request;
    request.set_replica(replica);
    request.set_sequence(2);
    request.set_json_schema(schema);
    v1::PrepareConstraintReply reply;
    return two->PrepareConstraint(&prepare_context, request, &reply).error_code();
  };
  constexpr char kSchema[] = R"({"enum":["yes","no"]})";
  EXPECT_EQ(prepare(1, kSchema), grpc::StatusCode::OK);
  EXPECT_EQ(prepare(1, R"({"type":"king"})"), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(prepare(7, kSchema), grpc::StatusCode::NOT_FOUND);
  v1::OpenSequence answer = open;
  answer.set_sequence(2);
  answer.set_constrained(true);
  const std::string text = engine::Decode((*local)->tokenizer(), Generate(*one, *two, 1, answer));
  EXPECT_THAT(text, AnyOf("\"yes\"", "\"no\"", " \"yes\"", " \"no\""));

  // A whole model on the second worker: the head it has, layers 0 and 1 come from its peer, nothing from the
  // coordinator.
  const uint64_t served = coordinator_->pieces_served();
  Load(*two, 2, 0, 1, 0, 4, {AddressOf(hellos[0]), coordinator_->address()});
  EXPECT_EQ(coordinator_->pieces_served(), served);
  EXPECT_EQ(Generate(*two, *two, 2, open), expected->ids);

  // Unloaded and loaded again: no byte moves.
  grpc::ClientContext context;
  v1::UnloadStageRequest unload;
  v1::UnloadStageReply unloaded;
  unload.set_replica(2);
  EXPECT_TRUE(two->UnloadStage(&context, unload, &unloaded).ok());
  EXPECT_EQ(Load(*two, 3, 0, 1, 0, 4, {}).bytes_fetched(), 0U);
  EXPECT_EQ(Generate(*two, *two, 3, open), expected->ids);

  v1::ProbeLinkRequest probe;
  v1::ProbeLinkReply link;
  *probe.mutable_target() = AddressOf(hellos[1]);
  probe.set_bytes(4 << 20);
  grpc::ClientContext probe_context;
  const grpc::Status probed = one->ProbeLink(&probe_context, probe, &link);
  EXPECT_TRUE(probed.ok()) << probed.error_message();
  EXPECT_GT(link.round_trip_seconds(), 0);
  EXPECT_GT(link.bytes_per_second(), 0);
}

TEST_F(WorkerDaemon, ComesBackToARestartedStreamWithoutStages) {
  Running& running = Start("one", coordinator_->token());
  const v1::WorkerHello hello = coordinator_->AwaitHellos(1)[0];
  const auto worker = coordinator_->Dial(hello);
  Load(*worker, 1, 0, 1, 0, 4, {coordinator_->address()});
  const absl::Time patience = absl::Now() + absl::Minutes(1);
  while (coordinator_->heartbeats(hello.node_id()) < 3 && absl::Now() < patience) absl::SleepFor(absl::Milliseconds(5));
  EXPECT_GE(coordinator_->heartbeats(hello.node_id()), 3U);
  // A clean end of the worker: the next start needs no token, keeps its name and moves no byte.
  running.worker->Stop();
  running.Join();
  EXPECT_TRUE(running.ended.ok()) << running.ended;
  Start("one", "");
  while (coordinator_->AwaitHellos(1)[0].incarnation() == hello.incarnation() && absl::Now() < patience) {
    absl::SleepFor(absl::Milliseconds(5));
  }
  const v1::WorkerHello again = coordinator_->AwaitHellos(1)[0];
  EXPECT_EQ(again.node_id(), hello.node_id());
  EXPECT_EQ(Load(*coordinator_->Dial(again), 1, 0, 1, 0, 4, {}).bytes_fetched(), 0U);
}

TEST_F(WorkerDaemon, LeavesOnceItsStagesAreUnloaded) {
  Running& running = Start("one", coordinator_->token());
  const v1::WorkerHello hello = coordinator_->AwaitHellos(1)[0];
  const auto worker = coordinator_->Dial(hello);
  Load(*worker, 1, 0, 1, 0, 4, {coordinator_->address()});
  running.worker->Drain(absl::Minutes(10));
  ASSERT_TRUE(coordinator_->AwaitLeaving(hello.node_id()));
  v1::OpenSequence open;
  open.set_sequence(1);
  open.add_prompt(5);
  open.mutable_sampling()->set_max_tokens(4);
  open.mutable_sampling()->set_ignore_eos(true);
  EXPECT_EQ(Generate(*worker, *worker, 1, open).size(), 4U) << "what it has still works";
  grpc::ClientContext context;
  v1::UnloadStageRequest unload;
  v1::UnloadStageReply unloaded;
  unload.set_replica(1);
  EXPECT_TRUE(worker->UnloadStage(&context, unload, &unloaded).ok());
  running.Join();
  EXPECT_TRUE(running.ended.ok()) << running.ended;
}

TEST_F(WorkerDaemon, LeavesWhenItsTimeIsOverThoughAStageIsLoaded) {
  Running& running = Start("one", coordinator_->token());
  const auto worker = coordinator_->Dial(coordinator_->AwaitHellos(1)[0]);
  Load(*worker, 1, 0, 1, 0, 4, {coordinator_->address()});
  running.worker->Drain(absl::Milliseconds(100));
  running.Join();
  EXPECT_TRUE(running.ended.ok()) << running.ended;
}

TEST_F(WorkerDaemon, AWrongTokenEndsItWithASentence) {
  auto other = CertificateAuthority::LoadOrCreate(folder_ + "/other");
  ASSERT_TRUE(other.ok());
  const auto foreign = MakeJoinToken((*other)->cluster_id(), (*other)->pin(), absl::Now() + absl::Hours(1));
  ASSERT_TRUE(foreign.ok());
  Running& running = Start("stranger", foreign->token.ToText());
  running.Join();
  EXPECT_FALSE(running.ended.ok());
  EXPECT_FALSE(running.ended.message().empty());
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/stranger/pki/node.pem"));
}

TEST_F(WorkerDaemon, ObeysAnOrderToLeave) {
  Running& running = Start("one", coordinator_->token());
  coordinator_->AwaitHellos(1);
  coordinator_->OrderToLeave("a clone of this node is here");
  running.Join();
  EXPECT_THAT(std::string(running.ended.message()), HasSubstr("a clone of this node"));
}

TEST_F(WorkerDaemon, ARefusalEndsItWithTheCoordinatorsSentence) {
  coordinator_->RefuseAttendance({grpc::StatusCode::PERMISSION_DENIED, "this node was removed from the cluster"});
  Running& running = Start("one", coordinator_->token());
  running.Join();
  EXPECT_THAT(std::string(running.ended.message()), HasSubstr("this node was removed"));
}

TEST_F(WorkerDaemon, ABusyPortIsToldBeforeItJoins) {
  // The coordinator has this one.
  for (const bool metrics : {false, true}) {
    SCOPED_TRACE(metrics);
    Worker::Options options;
    options.data_dir = folder_ + "/busy";
    options.host = options.metrics_host = "127.0.0.1";
    options.port = metrics ? 0 : coordinator_->port();
    options.metrics_port = metrics ? coordinator_->port() : -1;
    options.coordinators = {coordinator_->endpoint()};
    options.token = coordinator_->token();
    options.threads = 1;
    options.udp = false;
    auto worker = Worker::Create(options);
    ASSERT_TRUE(worker.ok()) << worker.status();
    const absl::Status ended = (*worker)->Run();
    EXPECT_FALSE(ended.ok());
    EXPECT_THAT(std::string(ended.message()),
                AllOf(HasSubstr("port " + std::to_string(coordinator_->port())), HasSubstr("in use")));
    EXPECT_FALSE(std::filesystem::exists(options.data_dir + "/pki/node.pem"));
  }
}

TEST_F(WorkerDaemon, StrangersAreRefused) {
  Running& running = Start("one", coordinator_->token());
  const v1::WorkerHello hello = coordinator_->AwaitHellos(1)[0];
  // Trusts the cluster's CA, but shows no certificate.
  auto authority = CertificateAuthority::LoadOrCreate(folder_ + "/coordinator");
  ASSERT_TRUE(authority.ok());
  grpc::ChannelArguments arguments;
  arguments.SetSslTargetNameOverride(AnyNodeTlsName());
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = (*authority)->certificate_pem();
  const auto channel =
      grpc::CreateCustomChannel("127.0.0.1:" + std::to_string(hello.grpc_port()), grpc::SslCredentials(tls), arguments);
  grpc::ClientContext context, content_context;
  v1::UnloadStageReply reply;
  const grpc::Status status = v1::Worker::NewStub(channel)->UnloadStage(&context, {}, &reply);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAUTHENTICATED) << status.error_message();
  v1::HasReply has;
  EXPECT_EQ(v1::Content::NewStub(channel)->Has(&content_context, {}, &has).error_code(),
            grpc::StatusCode::UNAUTHENTICATED);
  running.worker->Stop();
}

TEST(WorkerOptions, AreCheckedFirst) {
  EXPECT_THAT(std::string(Worker::Create({}).status().message()), HasSubstr("--data-dir"));
  Worker::Options options;
  options.data_dir = ::testing::TempDir() + "/worker_options";
  EXPECT_THAT(std::string(Worker::Create(options).status().message()), HasSubstr("--token"));
  options.token = "enigma-nonsense";
  EXPECT_FALSE(Worker::Create(options).ok());
  std::filesystem::remove_all(options.data_dir);
}

}  // namespace
}  // namespace enigma::worker
