// Pictures on a real cluster: the encoder on another worker than the decoder, and what comes of its death.
#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/image/encode_png.h"
#include "engine/spec/gguf.h"
#include "tests/cluster/cluster.h"
#include "tests/support/synthetic_models.h"
#include "tests/support/synthetic_vision.h"
#include "tests/support/test_data.h"

namespace enigma::testing {
namespace {

using ::testing::HasSubstr;

class ClusterVisionTest : public ::testing::Test {
 protected:
  void SetUp() override {
    decoder_ = SyntheticModelPath("tiny", "f32");
    const auto file = engine::GgufFile::Open(decoder_);
    ASSERT_TRUE(file.ok()) << file.status();
    engine::VisionSpec spec = SmallVisionSpec();
    spec.output = static_cast<uint32_t>((*file)->FindTensor("token_embd.weight")->shape[0]);
    auto weights = RandomVisionWeights(spec, 5);
    WriteVisionModel(Path("encoder.gguf"), spec, weights, engine::DType::kF32);
    WritePicture("red.png", 220, 10);
    WritePicture("blue.png", 10, 220);
    cluster_ = Cluster::StartWithWorkers(2);
    ASSERT_NE(cluster_, nullptr);
    const RunResult imported =
        cluster_->Enigma({"models", "import", decoder_, "--encoder", Path("encoder.gguf"), "--name", "eye"});
    ASSERT_EQ(imported.status, 0) << imported.err;
    EXPECT_THAT(imported.out, HasSubstr("to 9 rows"));
    const RunResult loaded = cluster_->Enigma({"load", "eye"});
    ASSERT_EQ(loaded.status, 0) << loaded.err << cluster_->Logs();
    EXPECT_THAT(loaded.out, HasSubstr("image encoder on"));
  }
  std::string Path(const std::string& name) const { return folder_.path() + "/" + name; }
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
  // The command with the picture, and the prompt where there is one.
  std::vector<std::string> Describe(std::vector<std::string> model, const std::string& picture,
                                    const std::string& prompt) const {
    std::vector<std::string> arguments = {"describe", "--max-tokens", "12", Path(picture)};
    arguments.insert(arguments.end(), model.begin(), model.end());
    if (!prompt.empty()) arguments.insert(arguments.end(), {"--prompt", prompt});
    return arguments;
  }
  nlohmann::json Local(const std::string& picture, const std::string& prompt) const {
    std::vector<std::string> command =
        Describe({"--local", decoder_, "--encoder", Path("encoder.gguf"), "--threads", "1", "--json"}, picture, prompt);
    command.insert(command.begin(), EnigmaBinary());
    const RunResult outcome = RunCommand(command);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome.status == 0 ? nlohmann::json::parse(outcome.out) : nlohmann::json();
  }
  nlohmann::json Asked(const std::string& picture, const std::string& prompt) const {
    return cluster_->Json(Describe({"--model", "eye"}, picture, prompt));
  }
  nlohmann::json Replica() const {
    const nlohmann::json models = cluster_->Json({"models"});
    return models.at("models").at(0).at("replicas").at(0);
  }
  // Of the worker that runs on the node.
  int WorkerOn(const std::string& node) const {
    for (int i = 0; i < 2; ++i) {
      if (cluster_->worker(i).Stderr().find(node) != std::string::npos) return i;
    }
    return -1;
  }

  TemporaryDirectory folder_;
  std::string decoder_;
  std::unique_ptr<Cluster> cluster_;
};

TEST_F(ClusterVisionTest, AnEncoderElsewhereAnswersAsOneProcessDoes) {
  const nlohmann::json replica = Replica();
  EXPECT_NE(replica.at("encoder").at("node_id"), replica.at("stages").at(0).at("node_id"));
  const nlohmann::json red = Asked("red.png", "");
  EXPECT_EQ(red.at("ids"), Local("red.png", "").at("ids")) << cluster_->Logs();
  EXPECT_EQ(red.at("rows"), 9);
  const nlohmann::json blue = Asked("blue.png", "Which colour?");
  EXPECT_EQ(blue.at("ids"), Local("blue.png", "Which colour?").at("ids")) << cluster_->Logs();
  EXPECT_NE(red.at("ids"), Asked("blue.png", "").at("ids"));
  std::ofstream(Path("text.png")) << "no picture";
  const RunResult text = cluster_->Enigma({"describe", "--model", "eye", Path("text.png")});
  EXPECT_EQ(text.status, 1);
  EXPECT_THAT(text.err, HasSubstr("image 1: the image is neither"));
}

TEST_F(ClusterVisionTest, TheEncodersNodeDiesAndAnotherTakesItsPlace) {
  const nlohmann::json expected = Local("red.png", "").at("ids");
  const int encoding = WorkerOn(Replica().at("encoder").at("node_id"));
  ASSERT_GE(encoding, 0) << cluster_->Logs();
  cluster_->worker(encoding).Signal(SIGKILL);
  // Until the coordinator knows it: a clear end. Then the model is placed again on what is left.
  nlohmann::json ids;
  for (const auto end = std::chrono::steady_clock::now() + std::chrono::minutes(2);
       ids.is_null() && std::chrono::steady_clock::now() < end;) {
    const RunResult asked = cluster_->Enigma(
        {"describe", "--model", "eye", "--json", "--max-tokens", "12", Path("red.png")}, std::chrono::seconds(60));
    if (asked.status == 0) {
      ids = nlohmann::json::parse(asked.out).at("ids");
    } else {
      EXPECT_EQ(asked.status, 1) << asked.err;
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
  }
  EXPECT_EQ(ids, expected) << cluster_->Logs();
  const nlohmann::json replica = Replica();
  EXPECT_EQ(replica.at("encoder").at("node_id"), replica.at("stages").at(0).at("node_id"));
}

TEST_F(ClusterVisionTest, BothFilesAreExportedAsTheyAreOrQuantised) {
  const auto plain = cluster_->Json({"models", "export", "eye", "--out", Path("eye.gguf")});
  ASSERT_FALSE(plain.is_null());
  EXPECT_EQ(plain.at("encoder").at("path"), Path("eye.encoder.gguf"));
  EXPECT_EQ(ReadFileOrDie(Path("eye.gguf")), ReadFileOrDie(decoder_));
  const std::string encoder = ReadFileOrDie(Path("encoder.gguf"));
  EXPECT_EQ(ReadFileOrDie(Path("eye.encoder.gguf")), encoder);

  const auto small = cluster_->Json({"models", "export", "eye", "--type", "q8_0", "--out", Path("small.gguf")});
  ASSERT_FALSE(small.is_null());
  const std::string quantised = ReadFileOrDie(Path("small.encoder.gguf"));
  EXPECT_EQ(small.at("encoder").at("bytes"), quantised.size());
  EXPECT_LT(quantised.size(), encoder.size());
  // The same as from the file itself.
  const RunResult made =
      RunCommand({EnigmaBinary(), "models", "quantize", Path("encoder.gguf"), Path("by-hand.gguf"), "--type", "q8_0"});
  ASSERT_EQ(made.status, 0) << made.err;
  EXPECT_EQ(ReadFileOrDie(Path("by-hand.gguf")), quantised);
  const RunResult said = RunCommand({EnigmaBinary(), "describe", Path("red.png"), "--local", Path("small.gguf"),
                                     "--encoder", Path("small.encoder.gguf"), "--max-tokens", "4"});
  EXPECT_EQ(said.status, 0) << said.err;

  // An encoder that is there keeps the decoder from being written beside it.
  std::ofstream(Path("other.encoder.gguf")) << "somebody's";
  const RunResult kept = cluster_->Enigma({"models", "export", "eye", "--out", Path("other.gguf")});
  EXPECT_EQ(kept.status, 1);
  EXPECT_THAT(kept.err, HasSubstr("other.encoder.gguf is there already"));
  EXPECT_FALSE(std::filesystem::exists(Path("other.gguf")));
  EXPECT_EQ(cluster_->Enigma({"models", "export", "eye", "--force", "--out", Path("other.gguf")}).status, 0);
  EXPECT_EQ(ReadFileOrDie(Path("other.encoder.gguf")), encoder);

  // Nor is one of another model left beside a model that has none.
  ASSERT_EQ(cluster_->Enigma({"models", "import", decoder_, "--name", "blind"}).status, 0);
  std::filesystem::remove(Path("other.gguf"));
  const RunResult beside = cluster_->Enigma({"models", "export", "blind", "--out", Path("other.gguf")});
  EXPECT_EQ(beside.status, 1);
  EXPECT_THAT(beside.err, HasSubstr("other.encoder.gguf is there already"));
  EXPECT_EQ(cluster_->Enigma({"models", "export", "blind", "--force", "--out", Path("other.gguf")}).status, 0);
  EXPECT_FALSE(std::filesystem::exists(Path("other.encoder.gguf")));
}

}  // namespace
}  // namespace enigma::testing
