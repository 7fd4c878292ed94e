// `enigma describe`: a picture through an encoder and a decoder.
#include <fstream>
#include <map>
#include <string>

#include <absl/strings/ascii.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine/image/encode_png.h"
#include "engine/spec/gguf.h"
#include "tests/support/process.h"
#include "tests/support/synthetic_models.h"
#include "tests/support/synthetic_vision.h"
#include "tests/unit/cli/run_enigma.h"

namespace enigma::cli {
namespace {

using ::testing::HasSubstr;

class DescribeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    decoder_ = enigma::testing::SyntheticModelPath("tiny", "f32");
    const auto file = engine::GgufFile::Open(decoder_);
    ASSERT_TRUE(file.ok()) << file.status();
    spec_ = enigma::testing::SmallVisionSpec();
    spec_.output = static_cast<uint32_t>((*file)->FindTensor("token_embd.weight")->shape[0]);
    WriteEncoder("encoder.gguf");
    WritePicture("red.png", 220, 10);
    WritePicture("blue.png", 10, 220);
  }
  std::string Path(const std::string& name) const { return folder_.path() + "/" + name; }
  void WriteEncoder(const std::string& name) {
    auto weights = enigma::testing::RandomVisionWeights(spec_, 5);
    enigma::testing::WriteVisionModel(Path(name), spec_, weights, engine::DType::kF32);
  }
  void WritePicture(const std::string& name, uint8_t red, uint8_t blue) {
    engine::Image image = engine::Image::Blank(31, 20);
    for (size_t i = 0; i < image.rgb.size(); i += 3) {
      image.rgb[i] = red;
      image.rgb[i + 2] = static_cast<uint8_t>(blue + i % 7);
    }
    const auto png = engine::EncodePng(image);
    ASSERT_TRUE(png.ok()) << png.status();
    std::ofstream(Path(name), std::ios::binary).write(reinterpret_cast<const char*>(png->data()), std::ssize(*png));
  }
  Outcome Describe(const std::string& image, std::vector<std::string> more = {}) const {
    std::vector<std::string> arguments = {"describe",  "--local", decoder_, "--encoder", Path("encoder.gguf"),
                                          "--threads", "1",       "--json", image};
    if (more.empty() || more[0] != "--max-tokens") more.insert(more.end(), {"--max-tokens", "8"});
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunEnigma(arguments);
  }
  static nlohmann::json Ids(const Outcome& outcome) {
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome.status == 0 ? nlohmann::json::parse(outcome.out).at("ids") : nlohmann::json();
  }

  enigma::testing::TemporaryDirectory folder_;
  std::string decoder_;
  engine::VisionSpec spec_;
};

TEST_F(DescribeTest, WhatIsSaidDependsOnThePicture) {
  const Outcome red = Describe(Path("red.png"));
  ASSERT_EQ(red.status, 0) << red.err;
  const auto json = nlohmann::json::parse(red.out);
  EXPECT_EQ(json.at("width"), 31);
  EXPECT_EQ(json.at("height"), 20);
  EXPECT_EQ(json.at("rows"), 9);
  EXPECT_EQ(Ids(Describe(Path("red.png"))), json.at("ids"));
  EXPECT_NE(Ids(Describe(Path("blue.png"))), json.at("ids"));
  EXPECT_NE(Ids(Describe(Path("red.png"), {"--prompt", "Which colour?"})), json.at("ids"));
}

TEST_F(DescribeTest, CaptionsAreHeldAgainstWhatIsSaid) {
  const std::string said = nlohmann::json::parse(Describe(Path("red.png"), {"--max-tokens", "96"}).out).at("text");
  const std::string stripped(absl::StripAsciiWhitespace(said));
  ASSERT_FALSE(stripped.empty());
  std::ofstream(Path("captions.jsonl"))
      << nlohmann::json{{"image", "red.png"}, {"captions", {"other", stripped}}}.dump() << "\n"
      << nlohmann::json{{"image", "blue.png"}, {"caption", "nothing of it"}}.dump();
  const auto eval = [&](std::vector<std::string> more) {
    std::vector<std::string> arguments = {
        "eval",      "caption", "--model", decoder_, "--encoder", Path("encoder.gguf"),
        "--threads", "1",       "--json",  "--data"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunEnigma(arguments);
  };
  const Outcome both = eval({folder_.path()});
  ASSERT_EQ(both.status, 0) << both.err;
  const auto json = nlohmann::json::parse(both.out);
  EXPECT_EQ(json.at("pictures"), 2);
  EXPECT_EQ(json.at("exact"), 0.5);
  EXPECT_EQ(json.at("wrong").at(0).at("image"), "blue.png");
  const Outcome first = eval({Path("captions.jsonl"), "--limit", "1"});
  ASSERT_EQ(first.status, 0) << first.err;
  EXPECT_EQ(nlohmann::json::parse(first.out).at("exact"), 1);
  std::ofstream(Path("captions.jsonl")) << nlohmann::json{{"image", "none.png"}, {"caption", "x"}}.dump();
  const Outcome none = eval({folder_.path()});
  EXPECT_EQ(none.status, 1);
  EXPECT_THAT(none.err, HasSubstr("none.png"));
}

TEST_F(DescribeTest, WhatCannotBeSeenIsSaid) {
  std::ofstream(Path("text.png")) << "no picture";
  const Outcome text = Describe(Path("text.png"));
  EXPECT_EQ(text.status, 1);
  EXPECT_THAT(text.err, HasSubstr("text.png: the image is neither a JPEG nor a PNG"));
  EXPECT_EQ(Describe(Path("none.png")).status, 1);
}

TEST_F(DescribeTest, AnEncoderOfAnotherModelIsRefused) {
  spec_.output += 8;
  WriteEncoder("encoder.gguf");
  const Outcome outcome = Describe(Path("red.png"));
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("they do not go together"));
}

}  // namespace
}  // namespace enigma::cli
