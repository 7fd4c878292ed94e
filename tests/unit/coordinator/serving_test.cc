// Requests and pieces: what the coordinator serves.
#include <fstream>
#include <future>

#include <gtest/gtest.h>

#include "engine/spec/manifest.h"
#include "tests/unit/coordinator/coordinator_fixture.h"

namespace enigma::coordinator::testing {
namespace {

TEST_F(CoordinatorTest, AModelCutAcrossTwoNodesAnswers) {
  StartCluster(3);
  ASSERT_TRUE(Import("stories").ok());
  EXPECT_EQ(imported_.layers(), 5u);
  EXPECT_EQ(imported_.architecture(), "llama");
  ASSERT_TRUE(Load("stories", 2).ok());
  EXPECT_EQ(last_progress_.phase(), "ready");
  EXPECT_EQ(last_progress_.replica().stages_size(), 2);

  const auto tokenizer = Tokenizer();
  const std::string answer = " there was a girl";
  std::vector<int32_t> ids = tokenizer->Encode("once" + answer, {});
  const std::vector<int32_t> once = tokenizer->Encode("once", {});
  ASSERT_GT(ids.size(), once.size());
  ids.erase(ids.begin(), ids.begin() + static_cast<std::ptrdiff_t>(once.size()));
  pipelines_.SetAnswer(ids);

  const Generated generated = Generate(Ask("stories", "Once upon a time", static_cast<uint32_t>(ids.size())));
  ASSERT_TRUE(generated.status.ok()) << generated.status.error_message();
  EXPECT_EQ(generated.ids, ids);
  EXPECT_EQ(generated.text, answer);
  EXPECT_EQ(generated.prompt_ids, (std::vector<int32_t>{1, 403, 407, 261, 378}));
  EXPECT_EQ(generated.finish_reason, "length");
  EXPECT_EQ(generated.nodes.size(), 2u);
  EXPECT_EQ(generated.contract, "fake-v1");
  ASSERT_EQ(pipelines_.opened().size(), 1u);
  EXPECT_TRUE(pipelines_.opened()[0].sampling().has_seed()) << "a random seed when none is given";
}

TEST_F(CoordinatorTest, ManyRequestsRunAtOnceAndEachGetsItsOwn) {
  Serve(2);
  pipelines_.SetAnswer({10, 11, 12, 13});
  std::vector<std::future<Generated>> answers;
  for (uint32_t i = 1; i <= 16; ++i) {
    answers.push_back(std::async(std::launch::async, [this, i] { return Generate(Ask("stories", "a", i)); }));
  }
  for (uint32_t i = 1; i <= 16; ++i) {
    const Generated generated = answers[i - 1].get();
    ASSERT_TRUE(generated.status.ok()) << generated.status.error_message();
    ASSERT_EQ(generated.ids.size(), i);
    for (uint32_t k = 0; k < i; ++k) EXPECT_EQ(generated.ids[k], static_cast<int32_t>(10 + k % 4));
  }
}

TEST_F(CoordinatorTest, AStopStringIsCutOutEvenAcrossTokens) {
  Serve();
  const auto tokenizer = Tokenizer();
  pipelines_.SetAnswer(tokenizer->Encode("one two three four five", {}));
  auto request = Ask("stories", "Count", 200);
  request.mutable_sampling()->add_stop("ee fo");
  const Generated generated = Generate(request);
  ASSERT_TRUE(generated.status.ok()) << generated.status.error_message();
  EXPECT_EQ(generated.text.substr(generated.text.size() - 3), "thr");
  EXPECT_EQ(generated.finish_reason, "stop");
}

TEST_F(CoordinatorTest, AClientThatGoesAwayFreesItsSequence) {
  Serve();
  pipelines_.SetManner(FakePipelines::Manner::kHold);
  grpc::ClientContext context;
  const auto stream = inference_->Generate(&context, Ask("stories", "a", 100));
  enigma::v1::GenerateChunk chunk;
  while (stream->Read(&chunk) && chunk.ids_size() == 0) {
  }
  context.TryCancel();
  stream->Finish();
  ASSERT_EQ(pipelines_.opened().size(), 1u);
  const uint64_t sequence = pipelines_.opened()[0].sequence();
  EXPECT_TRUE(Eventually([&] { return pipelines_.cancelled().contains(sequence); }));
  EXPECT_TRUE(Eventually([&] { return Replicas("stories").at(0).running() == 0; }));
}

TEST_F(CoordinatorTest, WrongRequestsAreSentences) {
  StartCluster(1);
  EXPECT_EQ(Generate(Ask("nobody", "a", 1)).status.error_code(), grpc::StatusCode::NOT_FOUND);
  ASSERT_TRUE(Import("stories").ok());
  const Generated unknown = Generate(Ask("nobody", "a", 1));
  EXPECT_NE(unknown.status.error_message().find("stories"), std::string::npos) << unknown.status.error_message();
  const Generated not_loaded = Generate(Ask("stories", "a", 1));
  EXPECT_EQ(not_loaded.status.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_NE(not_loaded.status.error_message().find("enigma load stories"), std::string::npos);

  ASSERT_TRUE(Load("stories", 0).ok());
  const auto refused = [&](const enigma::v1::GenerateRequest& request, const std::string& about) {
    const Generated generated = Generate(request);
    EXPECT_EQ(generated.status.error_code(), grpc::StatusCode::INVALID_ARGUMENT) << about;
    EXPECT_NE(generated.status.error_message().find(about), std::string::npos) << generated.status.error_message();
  };
  auto request = Ask("stories", "a", 1);
  request.mutable_prompt_ids()->mutable_ids()->Resize(600, 5);
  refused(request, "600 tokens are too long");
  request.mutable_prompt_ids()->mutable_ids()->Resize(0, 0);
  refused(request, "prompt");
  request.mutable_prompt_ids()->add_ids(512);
  refused(request, "512");
  request = Ask("stories", "a", 1);
  request.mutable_sampling()->set_temperature(-1);
  refused(request, "temperature");
  request = Ask("stories", "a", 1);
  request.mutable_sampling()->set_top_p(0);
  refused(request, "top_p");
  request = Ask("stories", "a", 0);
  refused(request, "max_tokens");
  request = Ask("stories", "a", 1);
  request.mutable_sampling()->add_logit_bias()->set_id(99999);
  refused(request, "99999");
}

TEST_F(CoordinatorTest, ARefusedSequenceEndsWithTheWorkersReason) {
  Serve();
  pipelines_.SetManner(FakePipelines::Manner::kRefuse);
  const Generated refused = Generate(Ask("stories", "a", 5));
  EXPECT_FALSE(refused.status.ok());
  EXPECT_NE(refused.status.error_message().find("no room for it here"), std::string::npos);
  pipelines_.SetManner(FakePipelines::Manner::kAnswer);
  EXPECT_TRUE(Generate(Ask("stories", "a", 5)).status.ok());
}

TEST_F(CoordinatorTest, PiecesAreServedFromAnyOffsetUntilTheFileChanges) {
  StartCluster(0);
  ASSERT_TRUE(Import("stories").ok());
  auto file = engine::GgufFile::Open(model_path_);
  ASSERT_TRUE(file.ok());
  const auto manifest = engine::BuildManifest(**file, "stories");
  ASSERT_TRUE(manifest.ok());
  const auto fetch = [&](const engine::Blob& blob, uint64_t offset, std::string* bytes) {
    grpc::ClientContext context;
    enigma::v1::FetchRequest request;
    request.set_sha256(std::string(reinterpret_cast<const char*>(blob.hash.data()), blob.hash.size()));
    request.set_offset(offset);
    const auto stream = content_->Fetch(&context, request);
    enigma::v1::FetchChunk chunk;
    while (stream->Read(&chunk)) *bytes += chunk.data();
    return stream->Finish();
  };
  for (const engine::Blob& blob : manifest->blobs) {
    std::string whole;
    ASSERT_TRUE(fetch(blob, 0, &whole).ok());
    EXPECT_EQ(engine::Sha256Of(whole), blob.hash);
    std::string rest;
    ASSERT_TRUE(fetch(blob, blob.bytes / 3, &rest).ok());
    EXPECT_EQ(rest, whole.substr(blob.bytes / 3));
  }
  std::string nothing;
  EXPECT_EQ(fetch(manifest->blobs[0], manifest->blobs[0].bytes + 1, &nothing).error_code(),
            grpc::StatusCode::OUT_OF_RANGE);
  std::ofstream(model_path_, std::ios::app) << "x";
  const grpc::Status changed = fetch(manifest->blobs[0], 0, &nothing);
  EXPECT_EQ(changed.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_NE(changed.error_message().find("changed"), std::string::npos) << changed.error_message();
  EXPECT_EQ(nothing, "");
}

TEST_F(CoordinatorTest, AFullQueueRefusesAndAFreedPlaceIsTaken) {
  Coordinator::Options options = Options();
  options.running_max = 1;
  options.waiting_max = 1;
  Serve(options);
  pipelines_.SetManner(FakePipelines::Manner::kHold);
  grpc::ClientContext running_context;
  const auto running = inference_->Generate(&running_context, Ask("stories", "a", 9));
  ASSERT_TRUE(Eventually([&] { return Replicas("stories").at(0).running() == 1; }));
  auto waiting = std::async(std::launch::async, [this] { return Generate(Ask("stories", "a", 9)); });
  ASSERT_TRUE(Eventually([&] { return Replicas("stories").at(0).waiting() == 1; }));
  const Generated refused = Generate(Ask("stories", "a", 9));
  EXPECT_EQ(refused.status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_NE(refused.status.error_message().find("1 requests run and 1 wait"), std::string::npos);

  pipelines_.SetManner(FakePipelines::Manner::kAnswer);
  running_context.TryCancel();
  running->Finish();
  const Generated answered = waiting.get();
  EXPECT_TRUE(answered.status.ok()) << answered.status.error_message();
  EXPECT_EQ(answered.ids.size(), 9u);
}

TEST_F(CoordinatorTest, HigherClassesRunFirstAndTakeTheLastPlaces) {
  Coordinator::Options options = Options();
  options.running_max = 1;
  options.waiting_max = 3;
  Serve(options);
  pipelines_.SetManner(FakePipelines::Manner::kHold);
  grpc::ClientContext running_context;
  const auto running = inference_->Generate(&running_context, Ask("stories", "a", 9));
  ASSERT_TRUE(Eventually([&] { return Replicas("stories").at(0).running() == 1; }));
  // Each is known by the length that it asks for.
  std::vector<std::future<Generated>> waiting;
  const auto wait = [&](enigma::v1::Priority priority, uint32_t tokens, uint32_t now_waiting) {
    auto request = Ask("stories", "a", tokens);
    request.set_priority(priority);
    waiting.push_back(std::async(std::launch::async, [this, request] { return Generate(request); }));
    ASSERT_TRUE(Eventually([&] { return Replicas("stories").at(0).waiting() == now_waiting; }));
  };
  wait(enigma::v1::PRIORITY_LOW, 1, 1);
  wait(enigma::v1::PRIORITY_UNSPECIFIED, 2, 2);
  wait(enigma::v1::PRIORITY_LOW, 3, 3);
  // The queue is full: a low one is refused, a high one takes the place of the last low one.
  auto low = Ask("stories", "a", 4);
  low.set_priority(enigma::v1::PRIORITY_LOW);
  grpc::ClientContext refused_context;
  const auto refused = inference_->Generate(&refused_context, low);
  enigma::v1::GenerateChunk chunk;
  while (refused->Read(&chunk)) {
  }
  EXPECT_EQ(refused->Finish().error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  const auto& trailers = refused_context.GetServerTrailingMetadata();
  ASSERT_EQ(trailers.count("retry-after-ms"), 1u);
  EXPECT_EQ(trailers.find("retry-after-ms")->second, "1000");
  wait(enigma::v1::PRIORITY_HIGH, 5, 3);
  const Generated gave_way = waiting[2].get();
  EXPECT_EQ(gave_way.status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_NE(gave_way.status.error_message().find("gave way"), std::string::npos) << gave_way.status.error_message();

  pipelines_.SetManner(FakePipelines::Manner::kAnswer);
  running_context.TryCancel();
  running->Finish();
  for (const size_t i : {0, 1, 3}) EXPECT_TRUE(waiting[i].get().status.ok());
  std::vector<uint32_t> order;
  for (const auto& open : pipelines_.opened()) order.push_back(open.sampling().max_tokens());
  EXPECT_EQ(order, (std::vector<uint32_t>{9, 5, 2, 1}));
}

}  // namespace
}  // namespace enigma::coordinator::testing
