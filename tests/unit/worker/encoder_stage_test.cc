#include "worker/pipeline/encoder_stage.h"

#include <algorithm>
#include <thread>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/image/encode_png.h"
#include "engine/sampling/local_generator.h"
#include "engine/spec/vision_memory.h"
#include "engine/text/picture_prompt.h"
#include "engine/weights/weight_source.h"
#include "tests/support/eventually.h"
#include "tests/support/synthetic_models.h"
#include "tests/support/synthetic_vision.h"
#include "tests/unit/worker/pipeline_fixture.h"
#include "worker/service/worker_memory.h"

namespace enigma::worker {
namespace {

using enigma::testing::Eventually;
using ::testing::HasSubstr;

class EncoderStageTest : public ::testing::Test {
 protected:
  void SetUp() override {
    spec_ = enigma::testing::SmallVisionSpec();
    const auto decoder = engine::GgufFile::Open(decoder_);
    ASSERT_TRUE(decoder.ok()) << decoder.status();
    spec_.output = static_cast<uint32_t>((*decoder)->FindTensor("token_embd.weight")->shape[0]);
    auto weights = enigma::testing::RandomVisionWeights(spec_, 5);
    path_ = ::testing::TempDir() + "encoder_stage_test.gguf";
    enigma::testing::WriteVisionModel(path_, spec_, weights, engine::DType::kF32);
    for (size_t i = 0; i < image_.rgb.size(); ++i) image_.rgb[i] = static_cast<uint8_t>(i * 7);
    const auto png = engine::EncodePng(image_);
    ASSERT_TRUE(png.ok()) << png.status();
    png_.assign(png->begin(), png->end());
  }
  LoadedEncoder Load() {
    LoadedEncoder loaded;
    loaded.pool = std::make_unique<engine::ThreadPool>(1);
    const auto weights = engine::OpenGgufWeights(path_);
    EXPECT_TRUE(weights.ok()) << weights.status();
    auto encoder = engine::VisionEncoder::Load(**weights, *loaded.pool);
    EXPECT_TRUE(encoder.ok()) << encoder.status();
    loaded.encoder = *std::move(encoder);
    return loaded;
  }
  std::unique_ptr<EncoderStage> Start(size_t waiting_max = 8, std::function<uint64_t()> free_bytes = nullptr) {
    return std::make_unique<EncoderStage>(EncoderStage::Options{.replica = 5,
                                                                .model = "eye",
                                                                .node_id = "n",
                                                                .waiting_max = waiting_max,
                                                                .free_bytes = std::move(free_bytes)},
                                          Load(), EncoderStage::Turns{pixels_, turn_}, metrics_);
  }
  static bool Wanted() { return false; }

  const std::string decoder_ = enigma::testing::SyntheticModelPath("tiny", "f32");
  engine::VisionSpec spec_;
  std::string path_;
  engine::Image image_ = engine::Image::Blank(31, 20);
  std::string png_;
  absl::Mutex pixels_;
  absl::Mutex turn_;
  Metrics metrics_;
};

TEST_F(EncoderStageTest, ItsRowsInAPipelineAnswerAsOneProcessDoes) {
  const auto stage = Start();
  const auto rows = stage->Encode(png_, Wanted);
  ASSERT_TRUE(rows.ok()) << rows.status();
  const LoadedEncoder alone = Load();
  EXPECT_EQ(*rows, *alone.encoder->Encode(image_));
  auto local = engine::LocalGenerator::Open(decoder_, {});
  ASSERT_TRUE(local.ok()) << local.status();
  const std::vector<int32_t> prompt = engine::PicturePrompt((*local)->tokenizer(), spec_.prefix(), "What is it?");
  engine::SamplingParams sampling;
  sampling.temperature = 0;
  sampling.max_tokens = 12;
  sampling.ignore_eos = true;
  const auto expected = (*local)->Generate(
      prompt, sampling, [](auto) { return true; }, *rows);
  ASSERT_TRUE(expected.ok()) << expected.status();

  PipelineFixture pipeline({.model_path = decoder_, .cuts = {0, 2}, .max_rows = 4});
  v1::OpenSequence open;
  open.set_sequence(1);
  open.set_epoch(1);
  open.mutable_prompt()->Assign(prompt.begin(), prompt.end());
  open.mutable_given()->Assign(rows->begin(), rows->end());
  open.mutable_sampling()->set_temperature(0);
  open.mutable_sampling()->set_max_tokens(12);
  open.mutable_sampling()->set_ignore_eos(true);
  v1::OpenSequence lacking = open;
  lacking.set_sequence(2);
  lacking.mutable_given()->RemoveLast();
  ASSERT_TRUE(pipeline.first().Open(lacking).ok());
  const auto refused = pipeline.replies().Pop(absl::Minutes(1));
  ASSERT_TRUE(refused.has_value());
  EXPECT_THAT(refused->error(), HasSubstr("places for 9 rows"));
  ASSERT_TRUE(pipeline.first().Open(open).ok());
  EXPECT_EQ(pipeline.Collect(1)[1].ids, expected->ids);
}

TEST_F(EncoderStageTest, WhatIsNoPictureIsRefusedAndTheNextOneEncoded) {
  const auto stage = Start();
  const auto cut = stage->Encode(png_.substr(0, png_.size() / 2), Wanted);
  EXPECT_TRUE(absl::IsInvalidArgument(cut.status())) << cut.status();
  EXPECT_TRUE(absl::IsInvalidArgument(stage->Encode("no picture", Wanted).status()));
  const auto polyglot = stage->Encode(png_ + "PK\x03\x04 something else as well", Wanted);
  EXPECT_TRUE(absl::IsInvalidArgument(polyglot.status())) << polyglot.status();
  EXPECT_TRUE(stage->Encode(png_, Wanted).ok());
  EXPECT_EQ(stage->Status().steps(), 4u);
  EXPECT_FALSE(stage->Status().busy());
}

TEST_F(EncoderStageTest, WhoWaitsTooMuchIsRefusedAndWhoGoesIsForgotten) {
  const auto stage = Start(/*waiting_max=*/1);
  absl::Status first, second;
  std::atomic<bool> gone = false;
  turn_.Lock();  // the encoder computes nothing
  std::thread computing([&] { first = stage->Encode(png_, Wanted).status(); });
  EXPECT_TRUE(Eventually([&] { return stage->Status().sequences() == 1 && stage->Status().busy(); }));
  // Taken up by the thread: the queue is empty again.
  std::thread waiting([&] {
    do {
      second = stage->Encode(png_, [&] { return gone.load(); }).status();
    } while (absl::IsResourceExhausted(second));
  });
  EXPECT_TRUE(Eventually([&] { return stage->Status().sequences() == 2; }));
  EXPECT_TRUE(absl::IsResourceExhausted(stage->Encode(png_, Wanted).status()));
  gone = true;
  waiting.join();
  EXPECT_TRUE(absl::IsCancelled(second)) << second;
  EXPECT_EQ(stage->Status().sequences(), 1u) << "who is gone takes no place";
  turn_.Unlock();
  computing.join();
  EXPECT_TRUE(first.ok()) << first;
  EXPECT_TRUE(Eventually([&] { return !stage->Status().busy(); }));
  EXPECT_EQ(stage->Status().steps(), 1u);
}

TEST_F(EncoderStageTest, WhoWaitsWhenItIsClosedIsToldSo) {
  const auto stage = Start();
  absl::Status first, second;
  turn_.Lock();  // the encoder computes nothing
  std::thread computing([&] { first = stage->Encode(png_, Wanted).status(); });
  EXPECT_TRUE(Eventually([&] { return stage->Status().sequences() == 1; }));
  std::thread waiting([&] { second = stage->Encode(png_, Wanted).status(); });
  EXPECT_TRUE(Eventually([&] { return stage->Status().sequences() == 2; }));
  stage->Close();
  // One of the two was taken up, or both waited.
  EXPECT_TRUE(absl::IsUnavailable(stage->Encode(png_, Wanted).status()));
  waiting.join();
  EXPECT_TRUE(absl::IsUnavailable(second)) << second;
  turn_.Unlock();
  computing.join();
  EXPECT_TRUE(first.ok() || absl::IsUnavailable(first)) << first;
}

TEST_F(EncoderStageTest, WhatNobodyWantsAnyMoreIsNotEncoded) {
  const auto stage = Start();
  std::atomic<bool> gone = false;
  turn_.Lock();  // the encoder computes nothing
  std::thread asking(
      [&] { EXPECT_TRUE(absl::IsCancelled(stage->Encode(png_, [&] { return gone.load(); }).status())); });
  EXPECT_TRUE(Eventually([&] { return stage->Status().sequences() == 1; }));
  gone = true;
  asking.join();
  turn_.Unlock();
  EXPECT_TRUE(stage->Encode(png_, Wanted).ok());
  EXPECT_EQ(metrics_.Counter(Metric::kPicturesEncoded, {{"model_name", "eye"}}).Value(), 1);
}

TEST_F(EncoderStageTest, WhatMemoryDoesNotHoldIsNotDecoded) {
  uint64_t free = 31 * 20 * 7 - 1;
  bool alone = true;
  const auto stage = Start(8, [&] {
    const bool held_by_nobody = pixels_.TryLock();
    if (held_by_nobody) pixels_.Unlock();
    alone = alone && !held_by_nobody;
    return free;
  });
  const absl::Status refused = stage->Encode(png_, Wanted).status();
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("31 x 20 pixels take 4340 bytes, and 4339 are free"));
  EXPECT_THAT(std::string(refused.message()), HasSubstr("larger --memory"));
  EXPECT_TRUE(absl::IsInvalidArgument(stage->Encode("no picture", Wanted).status())) << "which memory would not mend";
  ++free;
  EXPECT_TRUE(stage->Encode(png_, Wanted).ok());
  EXPECT_TRUE(alone) << "else two would count on the same memory";
}

TEST_F(EncoderStageTest, WhatIsReservedForItsPicturesIsFreeForThemAlone) {
  const std::string folder = ::testing::TempDir() + "encoder_stage_test";
  auto cache = LayerCache::Create({.directory = folder, .free_bytes = {}});
  ASSERT_TRUE(cache.ok()) << cache.status();
  PieceFetcher fetcher(**cache, metrics_);
  NodeChannels channels(nullptr);
  WorkerState state{.node_id = "n",
                    .memory = {.limit_bytes = uint64_t{8} << 20},
                    .cache = **cache,
                    .fetcher = fetcher,
                    .channels = channels,
                    .metrics = metrics_,
                    .on_failure = nullptr};
  state.ranks = std::make_unique<RankRegistry>(RankRegistry::Options{});
  const auto reservation = state.encoders.Reserve(5);
  ASSERT_TRUE(reservation.ok());
  LoadedEncoder loaded = Load();
  loaded.workspace_bytes = uint64_t{3} << 20;
  const uint64_t weights = loaded.encoder->weight_bytes();
  ASSERT_TRUE(state.encoders
                  .Insert(*reservation, std::make_shared<EncoderStage>(
                                            EncoderStage::Options{.replica = 5, .model = "eye", .node_id = "n"},
                                            std::move(loaded), EncoderStage::Turns{pixels_, turn_}, metrics_))
                  .ok());
  EXPECT_EQ(FreeMemory(state), (uint64_t{5} << 20) - weights);
  EXPECT_EQ(FreeMemory(state, uint64_t{2} << 20), (uint64_t{7} << 20) - weights);
}

TEST_F(EncoderStageTest, ItsMemoryIsWhatWasReckoned) {
  const auto file = engine::GgufFile::Open(path_);
  ASSERT_TRUE(file.ok()) << file.status();
  const engine::VisionMemory memory = engine::EstimateVisionMemory(**file, spec_);
  const LoadedEncoder loaded = Load();
  EXPECT_GE(memory.weights, loaded.encoder->weight_bytes());
  EXPECT_LE(memory.weights, loaded.encoder->weight_bytes() * 11 / 10);
  EXPECT_GT(memory.workspace, engine::GatheredFloats(spec_) * sizeof(float) + engine::kPictureReserveBytes);
}

}  // namespace
}  // namespace enigma::worker
