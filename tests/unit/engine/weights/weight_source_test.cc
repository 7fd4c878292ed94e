#include "engine/weights/weight_source.h"

#include <algorithm>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/spec/model_spec.h"
#include "engine/weights/synth.h"
#include "tests/support/message_of.h"
#include "tests/unit/engine/weights/temporary_folder.h"

namespace enigma::engine {
namespace {

using ::enigma::testing::MessageOf;

using ::testing::HasSubstr;
using testing::TemporaryFolder;

// A small model as a file, and cut into pieces that lie as files beside it.
class WeightSourceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    const auto bytes = SynthesiseModel("tiny", "q4_k_m", model_path_);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    auto file = GgufFile::Open(model_path_);
    ASSERT_TRUE(file.ok()) << file.status();
    file_ = std::move(*file);
    auto manifest = BuildManifest(*file_, "tiny");
    ASSERT_TRUE(manifest.ok()) << manifest.status();
    manifest_ = std::move(*manifest);
    for (const Blob& blob : manifest_.blobs) {
      std::vector<uint8_t> content(blob.bytes);
      ASSERT_TRUE(ReadBlob(*file_, blob, 0, content).ok());
      std::ofstream(PathOf(blob), std::ios::binary)
          .write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(content.size()));
    }
  }
  std::string PathOf(const Blob& blob) const {
    return folder_.File(std::to_string(static_cast<int>(blob.kind)) + "-" + std::to_string(blob.layer));
  }
  absl::StatusOr<std::unique_ptr<WeightSource>> OpenPieces(const std::vector<const Blob*>& blobs) const {
    std::vector<std::string> paths;
    for (const Blob* blob : blobs) paths.push_back(PathOf(*blob));
    return OpenBlobWeights(blobs, paths, manifest_.file_bytes);
  }

  TemporaryFolder folder_;
  const std::string model_path_ = folder_.File("tiny.gguf");
  std::unique_ptr<GgufFile> file_;
  Manifest manifest_;
};

TEST_F(WeightSourceTest, PiecesHoldTheVeryBytesOfTheFile) {
  const auto whole = OpenGgufWeights(model_path_);
  ASSERT_TRUE(whole.ok()) << whole.status();
  const auto pieces = OpenPieces(manifest_.ForStage(0, 4, 4, false));
  ASSERT_TRUE(pieces.ok()) << pieces.status();
  EXPECT_TRUE(ModelSpecFromGguf((*pieces)->head()).ok());
  for (const TensorInfo& tensor : file_->tensors()) {
    const auto a = (*whole)->Tensor(tensor.name);
    const auto b = (*pieces)->Tensor(tensor.name);
    ASSERT_TRUE(a.ok()) << a.status();
    ASSERT_TRUE(b.ok()) << b.status();
    EXPECT_EQ(a->info->type, b->info->type);
    EXPECT_EQ(a->data.size(), tensor.bytes);
    EXPECT_TRUE(std::equal(a->data.begin(), a->data.end(), b->data.begin(), b->data.end())) << tensor.name;
    EXPECT_EQ(reinterpret_cast<uintptr_t>(b->data.data()) % 64, 0U);
  }
}

TEST_F(WeightSourceTest, AStageHoldsItsLayersOnly) {
  const auto stage = OpenPieces(manifest_.ForStage(1, 3, 4, false));
  ASSERT_TRUE(stage.ok()) << stage.status();
  EXPECT_TRUE((*stage)->Tensor("blk.1.attn_q.weight").ok());
  EXPECT_TRUE((*stage)->Tensor("blk.2.ffn_down.weight").ok());
  for (const char* name : {"blk.0.attn_q.weight", "blk.3.attn_q.weight", "token_embd.weight", "output.weight"}) {
    const auto tensor = (*stage)->Tensor(name);
    EXPECT_EQ(tensor.status().code(), absl::StatusCode::kNotFound);
    EXPECT_THAT(MessageOf(tensor.status()), HasSubstr(name));
  }
  EXPECT_THAT(MessageOf((*stage)->Tensor("blk.9.x").status()), HasSubstr("there is no tensor 'blk.9.x'"));
}

TEST_F(WeightSourceTest, RefusesPiecesThatDoNotFit) {
  auto blobs = manifest_.ForStage(1, 2, 4, false);
  EXPECT_THAT(MessageOf(OpenBlobWeights(blobs, {}, 1).status()), HasSubstr("paths"));
  EXPECT_THAT(MessageOf(OpenPieces({blobs[1]}).status()), HasSubstr("head of the model is not among"));

  Blob moved = *blobs[1];
  moved.tensors[0].offset_in_file += 32;
  EXPECT_THAT(MessageOf(OpenPieces({blobs[0], &moved}).status()), HasSubstr("does not match the head"));
  Blob outside = *blobs[1];
  outside.tensors[0].offset_in_blob = UINT64_MAX;
  EXPECT_THAT(MessageOf(OpenPieces({blobs[0], &outside}).status()), HasSubstr("does not match the head"));

  std::filesystem::resize_file(PathOf(*blobs[1]), blobs[1]->bytes - 1);
  const auto cut = OpenPieces(blobs);
  EXPECT_EQ(cut.status().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(MessageOf(cut.status()), HasSubstr(PathOf(*blobs[1])));
  std::filesystem::remove(PathOf(*blobs[1]));
  EXPECT_EQ(OpenPieces(blobs).status().code(), absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace enigma::engine
