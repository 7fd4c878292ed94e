#include "tests/unit/worker/pipeline_fixture.h"

#include <algorithm>

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include "rpc/channel.h"

namespace enigma::worker {
namespace {

constexpr uint64_t kReplica = 5;
constexpr absl::Duration kPatience = absl::Minutes(1);

LoadedStage Load(const std::string& path, const engine::Stage::Options& options) {
  LoadedStage loaded;
  loaded.pool = std::make_unique<engine::ThreadPool>(1);
  auto weights = engine::OpenGgufWeights(path);
  EXPECT_TRUE(weights.ok()) << weights.status();
  loaded.weights = *std::move(weights);
  auto stage = engine::Stage::Create(*loaded.weights, options, *loaded.pool);
  EXPECT_TRUE(stage.ok()) << stage.status();
  loaded.stage = *std::move(stage);
  auto tokenizer = engine::Tokenizer::FromGguf(loaded.weights->head().metadata());
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  loaded.tokenizer = *std::move(tokenizer);
  return loaded;
}

}  // namespace

PipelineFixture::PipelineFixture(const Options& options) {
  const auto head = engine::GgufFile::Open(options.model_path);
  EXPECT_TRUE(head.ok()) << head.status();
  const auto spec = engine::ModelSpecFromGguf(**head);
  EXPECT_TRUE(spec.ok()) << spec.status();
  for (size_t i = 0; i < options.cuts.size(); ++i) {
    auto hosted = std::make_unique<Hosted>();
    const uint32_t last = i + 1 < options.cuts.size() ? options.cuts[i + 1] : spec->layer_count();
    hosted->executor = std::make_unique<StageExecutor>(
        StageExecutor::Options{.replica = kReplica,
                               .model = "test",
                               .node_id = absl::StrCat("node", i),
                               .stage_index = static_cast<uint32_t>(i),
                               .stage_count = static_cast<uint32_t>(options.cuts.size()),
                               .first_layer = options.cuts[i],
                               .last_layer = last,
                               .kv_blocks = options.kv_blocks,
                               .max_rows = options.max_rows,
                               .wire_type = options.wire_type,
                               .on_failure =
                                   [this](const v1::ReplicaFailure& failure) {
                                     absl::MutexLock lock(&mutex_);
                                     failures_.push_back(failure);
                                   }},
        Load(options.model_path, {.first_layer = options.cuts[i],
                                  .last_layer = last,
                                  .kv_blocks = options.kv_blocks,
                                  .kv_type = engine::DefaultKvType(**head),
                                  .max_rows = options.max_rows}),
        hosted->turn, metrics_, *options.clock);
    Hosted* const raw = hosted.get();
    hosted->links = std::make_unique<StageLinkService>(
        Authoriser::Insecure(), [raw](const LinkPeer& peer) -> absl::StatusOr<std::shared_ptr<FrameReceiver>> {
          if (raw->executor == nullptr) return absl::NotFoundError("not loaded");
          return raw->executor->ReceiverFor(peer);
        });
    auto server = RpcServer::Start({.host = "127.0.0.1", .configure = [raw](grpc::ServerBuilder& builder) {
                                      builder.RegisterCallbackGenericService(raw->links.get());
                                    }});
    EXPECT_TRUE(server.ok()) << server.status();
    hosted->server = *std::move(server);
    stages_.push_back(std::move(hosted));
  }
  for (size_t i = 0; stages_.size() > 1 && i < stages_.size(); ++i) {
    const size_t next = (i + 1) % stages_.size();
    const auto channel =
        MakeChannel(absl::StrCat("127.0.0.1:", stages_[next]->server->port()), nullptr, ExpectedPeer::AnyNode());
    const absl::Status connected = stages_[i]->executor->Connect(channel, absl::StrCat("node", next));
    EXPECT_TRUE(connected.ok()) << connected;
  }
  auto replies = first().AttachSubmitter();
  EXPECT_TRUE(replies.ok()) << replies.status();
  replies_ = *std::move(replies);
  outbox_ = stages_.back()->executor->tokens();
  reader_ = outbox_->Attach();
}

PipelineFixture::~PipelineFixture() {
  for (const auto& hosted : stages_) hosted->executor.reset();
  for (const auto& hosted : stages_) hosted->server->Shutdown(absl::ZeroDuration());
}

void PipelineFixture::Take(const v1::TokenEvents& events) {
  for (const v1::TokenEvent& event : events.events()) {
    Ended& ended = collected_[event.sequence()];
    if (event.has_token()) ended.ids.push_back(event.id());
    ended.finish_reason = event.finish_reason();
    ended.embedding.assign(event.embedding().begin(), event.embedding().end());
    ended.label_probabilities.assign(event.label_probabilities().begin(), event.label_probabilities().end());
    ended.error = event.error();
  }
}

std::map<uint64_t, PipelineFixture::Ended> PipelineFixture::Collect(size_t count) {
  const absl::Time end = absl::Now() + kPatience;
  const auto ended = [&] {
    return static_cast<size_t>(std::count_if(collected_.begin(), collected_.end(), [](const auto& entry) {
      return !entry.second.finish_reason.empty() || !entry.second.error.empty();
    }));
  };
  while (ended() < count && absl::Now() < end) {
    if (const auto events = outbox_->Pop(reader_, absl::Milliseconds(50))) Take(*events);
  }
  return collected_;
}

bool PipelineFixture::AwaitTokens(uint64_t sequence, size_t tokens) {
  const absl::Time end = absl::Now() + kPatience;
  while (collected_[sequence].ids.size() < tokens) {
    if (absl::Now() > end) return false;
    if (const auto events = outbox_->Pop(reader_, absl::Milliseconds(50))) Take(*events);
  }
  return true;
}

std::vector<v1::ReplicaFailure> PipelineFixture::failures() {
  absl::MutexLock lock(&mutex_);
  return failures_;
}

bool PipelineFixture::AwaitFailures(size_t count) {
  absl::MutexLock lock(&mutex_);
  const auto there = [&]() { return failures_.size() >= count; };
  return mutex_.AwaitWithTimeout(absl::Condition(&there), kPatience);
}

}  // namespace enigma::worker
