#include <filesystem>
#include <map>
#include <optional>
#include <set>
#include <thread>

#include <absl/synchronization/mutex.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/corpus/picture_set.h"
#include "rpc/channel.h"
#include "tests/support/eventually.h"
#include "tests/unit/engine/weights/temporary_folder.h"
#include "tests/unit/worker/training/small_job.h"
#include "worker/service/worker_server.h"

namespace enigma::worker {
namespace {

using enigma::testing::Eventually;
using ::testing::IsEmpty;
using ::testing::SizeIs;

// A worker's server, and the coordinator's stream to its rank.
class Host {
 public:
  Host(const std::string& name, const std::string& folder) {
    WorkerServer::Options options;
    options.host = "127.0.0.1";
    options.node_id = name;
    options.layers_dir = folder + "/" + name + "/layers";
    options.jobs_dir = folder + "/" + name + "/jobs";
    server_ = *WorkerServer::Start(options, metrics_);
    address_.set_node_id(name);
    address_.add_endpoints("127.0.0.1:" + std::to_string(server_->port()));
    stub_ = v1::Ranks::NewStub(MakeChannel(address_.endpoints(0), nullptr, ExpectedPeer::AnyNode()));
  }
  ~Host() { Kill(); }

  void Prepare(const v1::PrepareRank& order) {
    call_ = stub_->Run(&context_);
    v1::RankOrder first;
    *first.mutable_prepare() = order;
    EXPECT_TRUE(call_->Write(first));
    reader_ = std::thread([this] {
      v1::RankEvent event;
      while (call_->Read(&event)) {
        absl::MutexLock lock(&mutex_);
        events_.push_back(event);
      }
    });
  }
  bool Tell(const v1::RankOrder& order) { return call_->Write(order); }
  // As if its process died.
  void Kill() {
    server_.reset();
    context_.TryCancel();
    if (reader_.joinable()) reader_.join();
  }

  std::vector<v1::RankEvent> events() {
    absl::MutexLock lock(&mutex_);
    return events_;
  }
  v1::RankStanding standing() {
    v1::RankStanding last;
    for (const v1::RankEvent& event : events()) {
      if (event.has_standing()) last = event.standing();
    }
    return last;
  }
  uint64_t step() {
    uint64_t last = 0;
    for (const v1::RankEvent& event : events()) {
      if (event.has_step()) last = event.step().step();
    }
    return last;
  }
  bool Await(v1::RankPhase phase, uint64_t epoch) {
    const bool came = Eventually([&] { return standing().phase() == phase && standing().epoch() == epoch; });
    EXPECT_TRUE(came) << address_.node_id() << ": " << standing().ShortDebugString();
    for (const v1::RankEvent& event : events()) EXPECT_FALSE(event.has_failed()) << event.failed().error();
    return came;
  }
  const v1::NodeAddress& address() const { return address_; }
  WorkerServer& server() { return *server_; }

 private:
  Metrics metrics_;
  std::unique_ptr<WorkerServer> server_;
  v1::NodeAddress address_;
  std::unique_ptr<v1::Ranks::Stub> stub_;
  grpc::ClientContext context_;
  std::unique_ptr<grpc::ClientReaderWriter<v1::RankOrder, v1::RankEvent>> call_;
  std::thread reader_;
  absl::Mutex mutex_;
  std::vector<v1::RankEvent> events_ ABSL_GUARDED_BY(mutex_);
};

class JobOnWorkers : public ::testing::Test {
 protected:
  JobOnWorkers() {
    ServerOptions options;
    options.host = "127.0.0.1";
    options.services = {&files_};
    coordinator_ = *RpcServer::Start(options);
  }

  v1::PrepareRank Order() {
    v1::PrepareRank order = job_.Order(files_);
    order.mutable_coordinator()->add_endpoints("127.0.0.1:" + std::to_string(coordinator_->port()));
    return order;
  }
  Host& Add(const std::string& name) {
    hosts_[name] = std::make_unique<Host>(name, folder_.File(""));
    hosts_[name]->Prepare(Order());
    return *hosts_[name];
  }
  void Begin(uint64_t epoch, uint64_t step, const std::vector<std::string>& names, const std::string& source = "",
             const std::string& behind = "") {
    v1::RankOrder order;
    v1::BeginEpoch& begin = *order.mutable_begin();
    begin.set_epoch(epoch);
    begin.set_step(step);
    for (const std::string& name : names) *begin.add_ranks() = hosts_[name]->address();
    for (uint32_t rank = 0; rank < names.size(); ++rank) {
      begin.set_rank(rank);
      begin.clear_state_source();
      if (names[rank] == behind) *begin.mutable_state_source() = hosts_[source]->address();
      EXPECT_TRUE(hosts_[names[rank]]->Tell(order));
    }
  }
  // Why a rank cannot go on.
  std::string FailureOf(const std::string& name) {
    std::string error;
    EXPECT_TRUE(Eventually([&] {
      for (const v1::RankEvent& event : hosts_[name]->events()) {
        if (event.has_failed()) error = event.failed().error();
      }
      return !error.empty();
    })) << name;
    return error;
  }
  static void Pause(Host& leader) {
    v1::RankOrder order;
    order.mutable_control()->set_pause(true);
    EXPECT_TRUE(leader.Tell(order));
  }
  // Has the rank export what it trained, and waits for that.
  static v1::ExportDone Export(Host& host) {
    v1::RankOrder finish;
    finish.mutable_finish()->set_export_model(true);
    EXPECT_TRUE(host.Tell(finish));
    std::optional<v1::ExportDone> exported;
    EXPECT_TRUE(Eventually([&] {
      for (const v1::RankEvent& event : host.events()) {
        if (event.has_exported()) exported = event.exported();
      }
      return exported.has_value();
    }));
    return exported.value_or(v1::ExportDone());
  }

  engine::testing::TemporaryFolder folder_;
  SmallJob job_{folder_.File("")};
  SmallJobFiles files_;
  std::unique_ptr<RpcServer> coordinator_;
  std::map<std::string, std::unique_ptr<Host>> hosts_;
};

TEST_F(JobOnWorkers, LosesARankTakesOneInAndEndsWithTheBitsOfOneAlone) {
  Host& a = Add("a");
  Host& b = Add("b");
  ASSERT_TRUE(a.Await(v1::RANK_READY, 0));
  Host& c = Add("c");  // waits its turn
  ASSERT_TRUE(b.Await(v1::RANK_READY, 0));
  ASSERT_TRUE(c.Await(v1::RANK_READY, 0));
  EXPECT_GT(a.standing().flops_per_second(), 1e8);
  Begin(1, 0, {"a", "b"});
  ASSERT_TRUE(Eventually([&] { return a.step() >= 10; }));
  EXPECT_EQ(c.standing().step(), 0U);
  b.Kill();
  ASSERT_TRUE(a.Await(v1::RANK_HALTED, 1));
  EXPECT_EQ(a.standing().lost_node(), "b");
  Begin(2, a.standing().step(), {"a"});
  Pause(a);
  ASSERT_TRUE(a.Await(v1::RANK_PAUSED, 2));
  ASSERT_LT(a.standing().step(), job_.config.steps);
  Begin(3, a.standing().step(), {"a", "c"}, "a", "c");
  ASSERT_TRUE(a.Await(v1::RANK_FINISHED, 3));
  ASSERT_TRUE(c.Await(v1::RANK_FINISHED, 3));

  ASSERT_TRUE(Eventually([&] { return files_.stored().size() == 1; }));
  const SmallJobFiles::Stored checkpoint = files_.stored().front();
  EXPECT_EQ(checkpoint.head.kind(), "checkpoint");
  EXPECT_EQ(checkpoint.head.step(), 60U);
  EXPECT_EQ(checkpoint.head.epoch(), 3U);
  EXPECT_EQ(checkpoint.head.node_id(), "a");
  EXPECT_TRUE(job_.SameBits(job_.Read(checkpoint.data), job_.Expected(60)));
}

TEST_F(JobOnWorkers, GoesOnFromACheckpointAndExports) {
  Host& a = Add("a");
  ASSERT_TRUE(a.Await(v1::RANK_READY, 0));
  Begin(1, 0, {"a"});
  ASSERT_TRUE(Eventually([&] { return a.step() >= 20; }));
  v1::RankOrder stop;
  stop.mutable_control()->set_stop(true);
  ASSERT_TRUE(a.Tell(stop));
  ASSERT_TRUE(a.Await(v1::RANK_PAUSED, 1));
  const uint64_t step = a.standing().step();
  ASSERT_THAT(files_.stored(), SizeIs(1)) << "paused before the checkpoint was stored";
  a.Kill();

  hosts_["b"] = std::make_unique<Host>("b", folder_.File(""));
  Host& b = *hosts_["b"];
  v1::PrepareRank order = Order();
  *order.mutable_state() = files_.Add("checkpoint", files_.stored().front().data);
  b.Prepare(order);
  ASSERT_TRUE(b.Await(v1::RANK_READY, 0));
  EXPECT_EQ(b.standing().step(), step);
  EXPECT_GT(b.server().ranks().memory().given_bytes, 0U);
  Begin(2, step, {"b"});
  ASSERT_TRUE(b.Await(v1::RANK_FINISHED, 2));
  ASSERT_TRUE(Eventually([&] { return files_.stored().size() == 2; }));
  EXPECT_TRUE(job_.SameBits(job_.Read(files_.stored().back().data), job_.Expected(60)));

  const v1::ExportDone exported = Export(b);
  EXPECT_THAT(exported.error(), IsEmpty());
  EXPECT_GT(exported.largest_difference(), 0) << "matrices are stored as f16";
  std::map<std::string, std::string> kinds;
  for (const SmallJobFiles::Stored& one : files_.stored()) kinds[one.head.kind()] = one.data;
  for (const char* kind : {"gguf", "safetensors", "config", "generation_config", "tokenizer", "tokenizer_config"}) {
    EXPECT_TRUE(kinds.contains(kind)) << kind;
  }
  EXPECT_EQ(kinds["gguf"].substr(0, 4), "GGUF");
  v1::RankOrder forget;
  forget.mutable_finish()->set_export_model(false);
  ASSERT_TRUE(b.Tell(forget));
  EXPECT_TRUE(Eventually([&] { return b.server().ranks().size() == 0; }));
  EXPECT_EQ(b.server().ranks().memory().given_bytes, 0U);
  EXPECT_TRUE(Eventually([&] { return !std::filesystem::exists(folder_.File("b/jobs/3")); }));
}

TEST_F(JobOnWorkers, AnExportFindsTheCoordinatorAtItsNewAddress) {
  Host& a = Add("a");
  ASSERT_TRUE(a.Await(v1::RANK_READY, 0));
  Begin(1, 0, {"a"});
  ASSERT_TRUE(a.Await(v1::RANK_FINISHED, 1));
  ASSERT_TRUE(Eventually([&] { return files_.stored().size() == 1; }));
  files_.RefuseStores({grpc::StatusCode::UNAVAILABLE, "it is gone for good"});
  v1::RankOrder finish;
  finish.mutable_finish()->set_export_model(true);
  ASSERT_TRUE(a.Tell(finish));
  ASSERT_TRUE(Eventually([&] { return std::filesystem::exists(folder_.File("a/jobs/3/export/model.gguf")); }));

  SmallJobFiles elsewhere;
  ServerOptions options;
  options.host = "127.0.0.1";
  options.services = {&elsewhere};
  const std::unique_ptr<RpcServer> coordinator = *RpcServer::Start(options);
  v1::RankOrder again;
  *again.mutable_prepare() = Order();
  again.mutable_prepare()->mutable_coordinator()->set_endpoints(0, "127.0.0.1:" + std::to_string(coordinator->port()));
  const auto stub = v1::Ranks::NewStub(MakeChannel(a.address().endpoints(0), nullptr, ExpectedPeer::AnyNode()));
  grpc::ClientContext context;
  const auto call = stub->Run(&context);
  EXPECT_TRUE(call->Write(again));
  std::optional<v1::ExportDone> exported;
  v1::RankEvent event;
  while (!exported && call->Read(&event)) {
    if (event.has_exported()) exported = event.exported();
  }
  context.TryCancel();
  (void)call->Finish();
  ASSERT_TRUE(exported.has_value());
  EXPECT_THAT(exported->error(), IsEmpty());
  EXPECT_EQ(elsewhere.stored().front().head.kind(), "gguf");
}

TEST_F(JobOnWorkers, LoraGoesFromWorkerToWorkerAndExportsModelAndAdapter) {
  job_.AdaptABaseModel(folder_.File(""));
  for (const char* name : {"a", "b"}) job_.PlacePieces(folder_.File(std::string(name) + "/layers"));
  Host& a = Add("a");
  Host& b = Add("b");
  ASSERT_TRUE(a.Await(v1::RANK_READY, 0));
  ASSERT_TRUE(b.Await(v1::RANK_READY, 0));
  Begin(1, 0, {"a"});
  ASSERT_TRUE(Eventually([&] { return a.step() >= 5; }));
  Pause(a);
  ASSERT_TRUE(a.Await(v1::RANK_PAUSED, 1));
  ASSERT_LT(a.standing().step(), job_.config.steps);
  Begin(2, a.standing().step(), {"a", "b"}, "a", "b");
  ASSERT_TRUE(a.Await(v1::RANK_FINISHED, 2));
  ASSERT_TRUE(Eventually([&] { return files_.stored().size() == 1; }));
  const engine::TrainingState expected = job_.Expected(60);
  EXPECT_TRUE(job_.SameBits(job_.Read(files_.stored().front().data), expected));

  v1::RankOrder finish;
  finish.mutable_finish()->set_export_model(true);
  ASSERT_TRUE(a.Tell(finish));
  std::map<std::string, std::string> kinds;
  ASSERT_TRUE(Eventually([&] {
    for (const SmallJobFiles::Stored& one : files_.stored()) kinds[one.head.kind()] = one.data;
    for (const v1::RankEvent& event : a.events()) EXPECT_FALSE(event.has_failed()) << event.failed().error();
    return kinds.contains("adapter");
  }));
  EXPECT_TRUE(kinds.contains("gguf"));
  EXPECT_TRUE(kinds.contains("safetensors"));
  // The adapter is what the state holds; its data are the end of the file.
  const engine::ParameterLayout layout = engine::ParameterLayout::OfJob(job_.config);
  const engine::Parameter& last = layout.parameters().back();
  const std::string factor(reinterpret_cast<const char*>(expected.weights.data() + last.offset),
                           last.count * sizeof(float));
  EXPECT_NE(kinds["adapter"].find(factor), std::string::npos);
}

TEST_F(JobOnWorkers, ABaseModelThatTurnsPositionsInItsOwnWayIsExportedWithIt) {
  job_.config.spec.rope.frequency_factors = {1, 1, 1.5, 2, 3, 4, 8, 8};
  job_.config.steps = 5;
  job_.AdaptABaseModel(folder_.File(""));
  for (const char* name : {"a", "b"}) job_.PlacePieces(folder_.File(std::string(name) + "/layers"));
  Host& a = Add("a");
  ASSERT_TRUE(a.Await(v1::RANK_READY, 0));
  Begin(1, 0, {"a"});
  ASSERT_TRUE(a.Await(v1::RANK_FINISHED, 1));
  v1::RankOrder finish;
  finish.mutable_finish()->set_export_model(true);
  ASSERT_TRUE(a.Tell(finish));
  std::string gguf;
  ASSERT_TRUE(Eventually([&] {
    for (const SmallJobFiles::Stored& one : files_.stored()) {
      if (one.head.kind() == "gguf") gguf = one.data;
    }
    return !gguf.empty();
  }));
  EXPECT_NE(gguf.find("rope_freqs.weight"), std::string::npos);

  // A job that was submitted without knowing of it would learn on weights that mean something else.
  job_.config.spec.rope.frequency_factors.clear();
  Add("b");
  EXPECT_THAT(FailureOf("b"), ::testing::HasSubstr("'rope_freqs.weight' of base model 'base' is not what the job"));
}

TEST_F(JobOnWorkers, WithBf16ProductsGivesTheBitsOfOneAloneAndExportsWhatF32Serves) {
  job_.config.precision = engine::ProductPrecision::kBf16;
  Host& a = Add("a");
  Host& b = Add("b");
  ASSERT_TRUE(a.Await(v1::RANK_READY, 0));
  ASSERT_TRUE(b.Await(v1::RANK_READY, 0));
  Begin(1, 0, {"a", "b"});
  ASSERT_TRUE(a.Await(v1::RANK_FINISHED, 1));
  ASSERT_TRUE(Eventually([&] { return files_.stored().size() == 1; }));
  EXPECT_TRUE(job_.SameBits(job_.Read(files_.stored().front().data), job_.Expected(60)));
  const v1::ExportDone exported = Export(a);
  EXPECT_THAT(exported.error(), IsEmpty());

  job_.config.precision = engine::ProductPrecision::kF32;
  v1::PrepareRank order = Order();
  *order.mutable_state() = files_.Add("checkpoint", files_.stored().front().data);
  hosts_["c"] = std::make_unique<Host>("c", folder_.File(""));
  hosts_["c"]->Prepare(order);
  EXPECT_THAT(FailureOf("c"), ::testing::HasSubstr("numeric contract cpu-train-bf16-v1, the job has cpu-train-v1"));
}

TEST_F(JobOnWorkers, PicturesGiveTheBitsOfOneAloneAndBothFilesThatAreServed) {
  job_.LearnFromPictures();
  Host& a = Add("a");
  Host& b = Add("b");
  ASSERT_TRUE(a.Await(v1::RANK_READY, 0));
  ASSERT_TRUE(b.Await(v1::RANK_READY, 0));
  Begin(1, 0, {"a"});
  ASSERT_TRUE(Eventually([&] { return a.step() >= 5; }));
  Pause(a);
  ASSERT_TRUE(a.Await(v1::RANK_PAUSED, 1));
  ASSERT_LT(a.standing().step(), job_.config.steps);
  Begin(2, a.standing().step(), {"a", "b"}, "a", "b");
  ASSERT_TRUE(a.Await(v1::RANK_FINISHED, 2));
  ASSERT_TRUE(Eventually([&] { return files_.stored().size() == 1; }));
  const std::string checkpoint = files_.stored().front().data;
  EXPECT_TRUE(job_.SameBits(job_.Read(checkpoint), job_.Expected(60)));
  std::set<double> validated;
  for (const v1::RankEvent& event : a.events()) {
    if (event.has_validation()) validated.insert(event.validation().loss());
  }
  EXPECT_FALSE(validated.empty());

  // The coordinator goes away between the two files, for a while.
  files_.RefuseStores({grpc::StatusCode::UNAVAILABLE, "it starts anew"}, 3, "encoder");
  const v1::ExportDone exported = Export(a);
  EXPECT_THAT(exported.error(), IsEmpty());
  EXPECT_GT(exported.largest_difference(), 0) << "matrices are stored as f16";
  std::map<std::string, std::string> kinds;
  for (const SmallJobFiles::Stored& one : files_.stored()) kinds[one.head.kind()] = one.data;
  EXPECT_THAT(kinds["encoder"], ::testing::HasSubstr("enigma-vision"));
  EXPECT_THAT(kinds["gguf"], ::testing::HasSubstr("token_embd.weight"));
  EXPECT_THAT(kinds["gguf"], ::testing::Not(::testing::HasSubstr("v.patch_embd.weight")));
  EXPECT_FALSE(kinds.contains("safetensors")) << "without its encoder";

  // What was learned from these pictures does not go on with others.
  job_.LearnFromPictures(200);
  v1::PrepareRank order = Order();
  *order.mutable_state() = files_.Add("checkpoint", checkpoint);
  hosts_["c"] = std::make_unique<Host>("c", folder_.File(""));
  hosts_["c"]->Prepare(order);
  EXPECT_THAT(FailureOf("c"), ::testing::HasSubstr("the job's data changed"));
  order.clear_state();
  order.clear_picture_set();
  hosts_["d"] = std::make_unique<Host>("d", folder_.File(""));
  hosts_["d"]->Prepare(order);
  EXPECT_THAT(FailureOf("d"), ::testing::HasSubstr("names no set of them"));
}

TEST_F(JobOnWorkers, ADamagedPictureSetIsItsWorkersTroubleAndNotTheJobs) {
  job_.LearnFromPictures();
  v1::PrepareRank order = Order();
  engine::PictureSetBuilder builder(8);
  builder.Add(engine::Image::Blank(8, 8));
  const auto whole = builder.Finish();
  ASSERT_TRUE(whole.ok()) << whole.status();
  std::string damaged((*whole)->bytes().begin(), (*whole)->bytes().end());
  damaged.back() = static_cast<char>(damaged.back() ^ 1);
  *order.mutable_picture_set() = files_.Add("pictures.bin", damaged);
  hosts_["a"] = std::make_unique<Host>("a", folder_.File(""));
  hosts_["a"]->Prepare(order);
  EXPECT_THAT(FailureOf("a"), ::testing::HasSubstr("it is damaged"));
  for (const v1::RankEvent& event : hosts_["a"]->events()) {
    if (!event.has_failed()) continue;
    EXPECT_EQ(event.failed().code(), static_cast<uint32_t>(absl::StatusCode::kDataLoss));
  }
}

TEST_F(JobOnWorkers, ATrainingStateOfAnotherJobIsRefused) {
  v1::PrepareRank order = Order();
  *order.mutable_state() = files_.Add("checkpoint", "no state at all");
  hosts_["a"] = std::make_unique<Host>("a", folder_.File(""));
  hosts_["a"]->Prepare(order);
  ASSERT_TRUE(Eventually([&] {
    for (const v1::RankEvent& event : hosts_["a"]->events()) {
      if (event.has_failed()) return true;
    }
    return false;
  }));
}

}  // namespace
}  // namespace enigma::worker
