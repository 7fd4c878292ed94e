// Jobs that learn from pictures, as the coordinator takes and prepares them.
#include <algorithm>
#include <filesystem>
#include <functional>
#include <map>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "coordinator/jobs/job_tokenizer.h"
#include "engine/corpus/picture_set.h"
#include "engine/corpus/token_set.h"
#include "engine/spec/training_config.h"
#include "tests/support/encoded_images.h"
#include "tests/support/synthetic_vision.h"
#include "tests/unit/coordinator/jobs/training_fixture.h"

namespace enigma::coordinator::testing {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

// A PNG of one colour.
std::string OneColour(uint8_t red, uint8_t green, uint8_t blue) {
  std::vector<uint8_t> rgb;
  for (int pixel = 0; pixel < 20 * 20; ++pixel) rgb.insert(rgb.end(), {red, green, blue});
  const std::vector<uint8_t> file = engine::EncodePngOf(rgb, 20, 20);
  return {file.begin(), file.end()};
}

class VisionTrainingTest : public TrainingTest {
 protected:
  VisionTrainingTest() {
    for (int i = 0; i < 40; ++i) {
      const std::string name = "images/" + std::to_string(i) + ".png";
      captions_ += "{\"image\": \"" + name + "\", \"caption\": \"" + (i % 2 == 0 ? "a red" : "a blue") + " square\"}\n";
      pictures_[name] = i % 2 == 0 ? OneColour(200, 0, 0) : OneColour(0, 0, static_cast<uint8_t>(100 + i));
    }
  }

  static enigma::v1::TrainingOptions Vision(const std::string& model) {
    enigma::v1::TrainingOptions options = Nano(model, 20);
    options.set_task("vision");
    options.set_image_size(32);
    return options;
  }

  // What the pictures and the captions that stand in the fixture are answered with.
  grpc::Status SubmitPictures(const enigma::v1::TrainingOptions& options) {
    grpc::ClientContext context;
    const auto stream = training_->Submit(&context);
    enigma::v1::SubmitJobRequest request;
    *request.mutable_head()->mutable_options() = options;
    stream->Write(request);
    request.mutable_file()->set_name("in/captions.jsonl");
    stream->Write(request);
    request.set_data(captions_);
    stream->Write(request);
    for (const auto& [name, bytes] : pictures_) {
      request.mutable_file()->set_name(name);
      request.mutable_file()->set_picture(true);
      stream->Write(request);
      request.set_data(bytes);
      if (!bytes.empty()) stream->Write(request);
    }
    stream->WritesDone();
    phases_.clear();
    while (stream->Read(&progress_)) phases_.push_back(progress_.phase());
    return stream->Finish();
  }

  std::string Refusal(const enigma::v1::TrainingOptions& options) {
    const grpc::Status refused = SubmitPictures(options);
    EXPECT_FALSE(refused.ok());
    return refused.error_message();
  }

  std::string captions_;
  std::map<std::string, std::string> pictures_;
};

TEST_F(VisionTrainingTest, TokensAndPicturesArePreparedForWorkers) {
  StartTraining(2);
  fakes_.HoldSteps(true);
  const grpc::Status submitted = SubmitPictures(Vision("seer"));
  ASSERT_TRUE(submitted.ok()) << submitted.error_message();
  EXPECT_THAT(phases_, Contains("pictures"));
  EXPECT_THAT(progress_.warnings(), Contains(HasSubstr("only 40 pictures")));
  const uint64_t job = progress_.job();
  ASSERT_TRUE(Reaches(job, "running")) << Info(job).ShortDebugString();  // the workers have fetched both

  const std::string folder = folder_ + "/data/jobs/" + std::to_string(job);
  const auto tokens = engine::TokenSet::Open(folder + "/tokens.bin");
  const auto pictures = engine::PictureSet::Open(folder + "/pictures.bin");
  ASSERT_TRUE(tokens.ok() && pictures.ok()) << tokens.status() << pictures.status();
  ASSERT_EQ((*pictures)->pictures(), 40U);
  EXPECT_EQ((*pictures)->side(), 32U);
  const auto tokenizer = OpenJobTokenizer(folder + "/tokenizer.gguf");
  ASSERT_TRUE(tokenizer.ok() && tokenizer->chat) << tokenizer.status();
  engine::ChatRequest asked;
  asked.messages = {{{"role", "user"}, {"content", "What is this?"}}};
  asked.without_bos_and_eos = true;
  EXPECT_EQ(tokenizer->chat->Render(asked).value_or("?"), "") << "what it has never learned to read";
  const enigma::v1::JobInfo info = Info(job);
  const auto config = engine::TrainingConfigFromJson(info.config_json());
  ASSERT_TRUE(config.ok()) << config.status();
  EXPECT_EQ(config->pictures.encoder.image_size, 32U);
  // Of every red square the same is said, and something else of every blue one.
  std::map<bool, std::set<std::vector<engine::TokenId>>> said;
  for (uint64_t document = 0; document < 40; ++document) {
    const uint64_t begin = (*tokens)->begin(document);
    std::vector<engine::TokenId> ids;
    for (uint64_t i = 0; i < (*tokens)->size(document); ++i) ids.push_back((*tokens)->Token(begin + i));
    EXPECT_EQ(std::count(ids.begin(), ids.end(), static_cast<engine::TokenId>(config->pictures.token)), 16);
    said[(*pictures)->Picture(document).rgb[2] == 0].insert(ids);
  }
  EXPECT_EQ(said[true].size(), 1U);
  EXPECT_EQ(said[false].size(), 1U);
  EXPECT_NE(said[true], said[false]);
  EXPECT_THAT(info.report_json(), HasSubstr("in/captions.jsonl"));
  EXPECT_FALSE(std::filesystem::exists(folder + "/incoming"));
  fakes_.HoldSteps(false);
}

TEST_F(VisionTrainingTest, DecoderAndEncoderBecomeOneModel) {
  engine::VisionSpec spec = enigma::testing::SmallVisionSpec();
  spec.output = 256;  // as wide as the file that is exported here
  auto weights = enigma::testing::RandomVisionWeights(spec, 5);
  const std::string encoder = folder_ + "/encoder.gguf";
  enigma::testing::WriteVisionModel(encoder, spec, weights, engine::DType::kF32);
  StartTraining(1);
  // Without its encoder it is none.
  ASSERT_TRUE(SubmitPictures(Vision("blind")).ok());
  ASSERT_TRUE(Reaches(progress_.job(), "failed")) << Info(progress_.job()).ShortDebugString();
  EXPECT_THAT(Info(progress_.job()).reason(), HasSubstr("encoder.gguf"));
  EXPECT_FALSE(IsRegistered("blind"));

  fakes_.SetEncoderFile(encoder);
  ASSERT_TRUE(SubmitPictures(Vision("seer")).ok());
  const uint64_t job = progress_.job();
  ASSERT_TRUE(Reaches(job, "done")) << Info(job).ShortDebugString();
  grpc::ClientContext context;
  enigma::v1::ListClusterModelsReply models;
  ASSERT_TRUE(cluster_->ListModels(&context, {}, &models).ok());
  ASSERT_EQ(models.models_size(), 1);
  EXPECT_EQ(models.models(0).name(), "seer");
  EXPECT_TRUE(models.models(0).has_encoder());
  // What is registered from its files holds them.
  EXPECT_EQ(Remove(job).error_code(), grpc::StatusCode::FAILED_PRECONDITION);
}

TEST_F(VisionTrainingTest, AWorkerThatKnowsNoPicturesTakesNoPart) {
  engine::VisionSpec spec = enigma::testing::SmallVisionSpec();
  spec.output = 256;
  auto weights = enigma::testing::RandomVisionWeights(spec, 5);
  const std::string encoder = folder_ + "/encoder.gguf";
  enigma::testing::WriteVisionModel(encoder, spec, weights, engine::DType::kF32);
  fakes_.SetEncoderFile(encoder);
  StartTraining(1);
  const absl::Status refusal = absl::InvalidArgumentError("training configuration: format 2 is unknown");
  fakes_.RefuseRanks("n0", refusal);
  ASSERT_TRUE(SubmitPictures(Vision("seer")).ok());
  const uint64_t job = progress_.job();
  // With nobody else the job waits, and says why.
  ASSERT_TRUE(Eventually([&] {
    const enigma::v1::JobInfo info = Info(job);
    return info.state() == "waiting" && info.reason().find("n0 (host-n0) takes no part: ") != std::string::npos &&
           info.reason().find("format 2 is unknown") != std::string::npos;
  })) << Info(job).ShortDebugString();
  StartRankWorker("n1");
  ASSERT_TRUE(Reaches(job, "done")) << Info(job).ShortDebugString();
  ASSERT_EQ(fakes_.begun().size(), 1U);
  EXPECT_EQ(MembersOf(fakes_.begun().front()), std::vector<std::string>{"n1"});
}

TEST_F(VisionTrainingTest, WhatIsWrongWithPicturesIsSaidWithFileAndLine) {
  StartTraining(0);
  const std::string captions = captions_;
  const std::map<std::string, std::string> pictures = pictures_;
  const auto refusal = [&](const std::function<void()>& spoil) {
    captions_ = captions;
    pictures_ = pictures;
    spoil();
    return Refusal(Vision("seer"));
  };
  EXPECT_THAT(refusal([&] { pictures_.erase("images/7.png"); }),
              HasSubstr("in/captions.jsonl, line 8: images/7.png was not sent with it"));
  EXPECT_THAT(refusal([&] { pictures_.clear(); }), HasSubstr("line 1: images/0.png was not sent"));
  EXPECT_THAT(refusal([&] { pictures_["images/7.png"] = "no picture"; }),
              HasSubstr("in/captions.jsonl, line 8: images/7.png: "));
  EXPECT_THAT(refusal([&] { pictures_["images/9.png"].clear(); }), HasSubstr("line 10: images/9.png: "));
  EXPECT_THAT(refusal([&] { pictures_["images/3.png"].resize(60); }), HasSubstr("line 4: images/3.png: "));
  const std::vector<uint8_t> vast = engine::PromisingPng(30'000, 30'000, "x");
  EXPECT_THAT(refusal([&] { pictures_["images/0.png"].assign(vast.begin(), vast.end()); }),
              HasSubstr("line 1: images/0.png: "));
  EXPECT_THAT(refusal([&] { captions_ += "{\"image\": \"../x.png\", \"caption\": \"x\"}\n"; }),
              HasSubstr("in/captions.jsonl, line 41: \"image\" is no path below"));
  EXPECT_THAT(refusal([&] { captions_ = "\n"; }), HasSubstr("in/captions.jsonl: it names no pictures"));
  std::string long_one;  // a digit is a token
  for (int i = 0; i < 400; ++i) long_one += std::to_string(i * 7 % 10);
  EXPECT_THAT(refusal([&] { captions_ += "{\"image\": \"images/0.png\", \"caption\": \"" + long_one + "\"}\n"; }),
              HasSubstr("in/captions.jsonl, line 41: with the 16 rows of its picture the caption takes"));

  captions_ = captions;
  pictures_ = pictures;
  enigma::v1::TrainingOptions options = Vision("seer");
  options.set_context(16);
  EXPECT_THAT(Refusal(options), HasSubstr("context"));
  options = Nano("words", 20);
  EXPECT_THAT(Refusal(options), HasSubstr("only task vision learns from them"));
  EXPECT_EQ(Submit(Vision("seer"), SomeText()).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  // Nothing is left of them, neither the name nor files.
  EXPECT_FALSE(std::filesystem::exists(folder_ + "/data/jobs") && !std::filesystem::is_empty(folder_ + "/data/jobs"));
  EXPECT_TRUE(SubmitPictures(Vision("seer")).ok());
}

TEST_F(VisionTrainingTest, AnEstimateCountsTheEncoder) {
  StartTraining(1);
  const auto estimate = [&](const enigma::v1::TrainingOptions& options) {
    grpc::ClientContext context;
    enigma::v1::EstimateJobRequest request;
    *request.mutable_options() = options;
    enigma::v1::EstimateJobReply reply;
    const grpc::Status status = training_->Estimate(&context, request, &reply);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return reply;
  };
  const auto seeing = estimate(Vision("seer"));
  enigma::v1::TrainingOptions blind = Nano("words", 20);
  blind.set_context(128);
  blind.set_sequences_per_step(16);
  EXPECT_THAT(seeing.shape(), HasSubstr("image encoder: 32 x 32 pixels"));
  EXPECT_GT(seeing.parameters(), estimate(blind).parameters() + 400'000);
  EXPECT_GT(seeing.memory_bytes(), estimate(blind).memory_bytes());
}

}  // namespace
}  // namespace enigma::coordinator::testing
