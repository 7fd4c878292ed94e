#include "engine/spec/manifest.h"

#include <functional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/message_of.h"
#include "tests/support/synthetic_vision.h"
#include "tests/support/test_data.h"

namespace enigma::engine {
namespace {

using ::enigma::testing::MessageOf;

using ::testing::HasSubstr;
using Json = nlohmann::json;

Json Tensor(const char* name, uint64_t in_blob, uint64_t in_file, uint64_t bytes) {
  return Json::array({name, in_blob, in_file, bytes});
}

// A manifest of one layer, correct but for what a test changes; `Text` sets the id that belongs to the hashes.
Json Correct() {
  const std::string hash(64, 'a');
  const auto blob = [&](const char* kind, uint64_t bytes, Json tensors) {
    return Json{{"kind", kind}, {"hash", hash}, {"bytes", bytes}, {"tensors", std::move(tensors)}};
  };
  Json layer = blob("layer", 164, Json::array({Tensor("a", 0, 1000, 100), Tensor("b", 128, 1100, 36)}));
  layer["layer"] = 0;
  return Json{{"format", 1},
              {"model", "m"},
              {"file_bytes", 2000},
              {"blobs", Json::array({blob("head", 500, Json::array()),
                                     blob("embedding", 64, Json::array({Tensor("token_embd.weight", 0, 512, 64)})),
                                     layer, blob("output", 64, Json::array({Tensor("output.weight", 0, 1200, 64)}))})}};
}

std::string Text(Json json) {
  if (!json.contains("id") && json["blobs"].is_array()) {
    std::string hashes;
    for (const Json& blob : json["blobs"]) {
      const auto hash = Sha256FromHex(blob.is_object() ? blob.value("hash", "") : "");
      if (hash.ok()) hashes.append(hash->begin(), hash->end());
    }
    json["id"] = HexOf(Sha256Of(hashes));
  }
  return json.dump();
}

TEST(Sha256Test, KnownAnswers) {
  // FIPS 180-4 examples.
  EXPECT_EQ(HexOf(Sha256Of("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(HexOf(Sha256Of("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  Sha256Hasher hasher;
  hasher.Update("a", 1);
  hasher.Update("bc", 2);
  EXPECT_EQ(hasher.Finish(), Sha256Of("abc"));
}

TEST(Sha256Test, HexRoundTripAndErrors) {
  const Sha256 hash = Sha256Of("x");
  EXPECT_EQ(Sha256FromHex(HexOf(hash)).value(), hash);
  EXPECT_THAT(MessageOf(Sha256FromHex("abc").status()), HasSubstr("64"));
  EXPECT_THAT(MessageOf(Sha256FromHex(std::string(64, 'g')).status()), HasSubstr("'gg'"));
}

TEST(ManifestTest, CutsAModelIntoPiecesThatHoldItsTensors) {
  ENIGMA_REQUIRE_DATA(path, "models/stories260K-f32.gguf");
  const auto file = GgufFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  const auto manifest = BuildManifest(**file, "stories");
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  EXPECT_EQ(manifest->file_bytes, (*file)->file_size());
  EXPECT_EQ(manifest->blobs.front().kind, BlobKind::kHead);
  EXPECT_EQ(manifest->blobs.back().kind, BlobKind::kOutput);

  size_t tensors = 0;
  for (const Blob& blob : manifest->blobs) {
    std::vector<uint8_t> content(blob.bytes);
    ASSERT_TRUE(ReadBlob(**file, blob, 0, content).ok());
    EXPECT_EQ(Sha256Of({reinterpret_cast<const char*>(content.data()), content.size()}), blob.hash);
    for (const BlobTensor& part : blob.tensors) {
      ++tensors;
      EXPECT_EQ(part.offset_in_blob % 64, 0U);
      const auto data = (*file)->TensorData(*(*file)->FindTensor(part.name));
      EXPECT_TRUE(
          std::equal(data.begin(), data.end(), content.begin() + static_cast<std::ptrdiff_t>(part.offset_in_blob)));
    }
    // Read again in odd pieces that cross the borders of tensors and padding.
    std::vector<uint8_t> pieced(blob.bytes);
    for (size_t at = 0; at < pieced.size(); at += 777) {
      const std::span<uint8_t> out(pieced.data() + at, std::min<size_t>(777, pieced.size() - at));
      ASSERT_TRUE(ReadBlob(**file, blob, at, out).ok());
    }
    EXPECT_EQ(pieced, content);
    uint8_t byte = 0;
    EXPECT_EQ(ReadBlob(**file, blob, blob.bytes, {&byte, 1}).code(), absl::StatusCode::kOutOfRange);
    EXPECT_EQ(ReadBlob(**file, blob, UINT64_MAX, {&byte, 1}).code(), absl::StatusCode::kOutOfRange);
  }
  EXPECT_EQ(tensors, (*file)->tensors().size());
}

TEST(ManifestTest, JsonRoundTrip) {
  ENIGMA_REQUIRE_DATA(path, "models/stories260K-f32.gguf");
  const auto file = GgufFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  const auto manifest = BuildManifest(**file, "stories");
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  const std::string json = ManifestToJson(*manifest);
  const auto back = ManifestFromJson(json);
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(ManifestToJson(*back), json);
  EXPECT_EQ(back->id, manifest->id);
  EXPECT_EQ(back->blobs.size(), manifest->blobs.size());
}

TEST(ManifestTest, AnImageEncoderIsItsHeadAndOnePiece) {
  const VisionSpec spec = enigma::testing::SmallVisionSpec();
  auto weights = enigma::testing::RandomVisionWeights(spec, 1);
  const std::string path = ::testing::TempDir() + "manifest-encoder.gguf";
  enigma::testing::WriteVisionModel(path, spec, weights, DType::kF32);
  const auto file = GgufFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  const auto manifest = BuildManifest(**file, "eye");
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  ASSERT_EQ(manifest->blobs.size(), 2u);
  EXPECT_EQ(manifest->blobs[0].kind, BlobKind::kHead);
  EXPECT_EQ(manifest->blobs[1].kind, BlobKind::kEncoder);
  EXPECT_EQ(manifest->blobs[1].tensors.size(), VisionTensors(spec).size());
  const auto back = ManifestFromJson(ManifestToJson(*manifest));
  ASSERT_TRUE(back.ok()) << back.status();
  EXPECT_EQ(back->id, manifest->id);
  EXPECT_EQ(back->blobs[1].kind, BlobKind::kEncoder);
}

TEST(ManifestTest, AStageNeedsItsPiecesOnly) {
  Manifest manifest;
  for (const BlobKind kind : {BlobKind::kHead, BlobKind::kShared, BlobKind::kEmbedding}) {
    manifest.blobs.push_back({kind, 0, {}, 0, {}});
  }
  for (uint32_t layer = 0; layer < 4; ++layer) manifest.blobs.push_back({BlobKind::kLayer, layer, {}, 0, {}});
  manifest.blobs.push_back({BlobKind::kOutput, 0, {}, 0, {}});
  const auto stage = [&](uint32_t first, uint32_t last, bool tied) {
    std::string text;
    for (const Blob* blob : manifest.ForStage(first, last, 4, tied)) {
      const size_t kind = static_cast<size_t>(blob->kind);
      text += kind == 2 ? std::to_string(blob->layer) : std::string(1, "he.os"[kind]);
    }
    return text;
  };
  EXPECT_EQ(stage(0, 4, false), "hse0123o");
  EXPECT_EQ(stage(0, 2, false), "hse01");
  EXPECT_EQ(stage(1, 3, true), "hs12");
  EXPECT_EQ(stage(2, 4, false), "hs23o");
  EXPECT_EQ(stage(2, 4, true), "hse23o");
}

TEST(ManifestTest, RefusesLyingJson) {
  ASSERT_TRUE(ManifestFromJson(Text(Correct())).ok()) << ManifestFromJson(Text(Correct())).status();
  const auto error_after = [](const std::function<void(Json&)>& change) {
    Json json = Correct();
    change(json);
    const auto manifest = ManifestFromJson(Text(json));
    return manifest.ok() ? "no error" : MessageOf(manifest.status());
  };
  struct Case {
    std::function<void(Json&)> change;
    const char* said;
  };
  const std::vector<Case> cases = {
      {[](Json& j) { j["format"] = 2; }, "format: 2 is not supported"},
      {[](Json& j) { j.erase("format"); }, "format: must be a whole number"},
      {[](Json& j) { j["model"] = 5; }, "model: must be a string"},
      {[](Json& j) { j["file_bytes"] = -1; }, "file_bytes: must be a whole number"},
      {[](Json& j) { j["id"] = std::string(64, '0'); }, "id: is not the hash"},
      {[](Json& j) { j["id"] = "xyz"; }, "id: a SHA-256 has 64"},
      {[](Json& j) { j["blobs"] = 3; }, "id: must be a string"},
      {[](Json& j) { j["blobs"][1] = 3; }, "blobs[1]: must be an object"},
      {[](Json& j) { j["blobs"].erase(0); }, "the first must be the head"},
      {[](Json& j) { j["blobs"][1]["kind"] = "tail"; }, "blobs[1].kind: 'tail' is unknown"},
      {[](Json& j) { j["blobs"][1]["hash"] = std::string(64, 'x'); }, "blobs[1].hash: 'xx'"},
      {[](Json& j) { j["blobs"][2].erase("layer"); }, "blobs[2].layer: must be"},
      {[](Json& j) { j["blobs"][2]["layer"] = uint64_t{1} << 40; }, "blobs[2].layer: is too large"},
      {[](Json& j) { j["blobs"][2]["layer"] = 1; }, "blobs[2]: layer 1 must not follow"},
      {[](Json& j) { std::swap(j["blobs"][1], j["blobs"][3]); }, "must not follow"},
      {[](Json& j) { j["blobs"][3] = j["blobs"][1]; }, "embedding 0 must not follow layer"},
      {[](Json& j) { j["blobs"][1]["bytes"] = UINT64_MAX; }, "more than the model file has"},
      {[](Json& j) { j["blobs"][1]["bytes"] = 65; }, "its tensors end at 64"},
      {[](Json& j) { j["blobs"][1]["tensors"] = Json::array(); }, "must be empty for the head"},
      {[](Json& j) { j["blobs"][0]["tensors"] = j["blobs"][1]["tensors"]; }, "must be empty for the head"},
      {[](Json& j) { j["blobs"][1]["tensors"][0] = 1; }, "blobs[1].tensors[0]: must be [name"},
      {[](Json& j) { j["blobs"][1]["tensors"][0][0] = 1; }, "blobs[1].tensors[0]: must be a string"},
      {[](Json& j) { j["blobs"][1]["tensors"][0][2] = UINT64_MAX; }, "reach beyond the model file"},
      {[](Json& j) { j["blobs"][1]["tensors"][0][3] = UINT64_MAX; }, "reach beyond the model file"},
      {[](Json& j) { j["blobs"][2]["tensors"][1][1] = 100; }, "not at the next multiple of 64"},
      {[](Json& j) { j["blobs"][2]["tensors"][1][1] = 0; }, "not at the next multiple of 64"},
  };
  for (const Case& c : cases) EXPECT_THAT(error_after(c.change), HasSubstr(c.said));
  for (const char* text : {"", "{", "[]", "3", "{\"format\":1}", "nul"}) {
    EXPECT_FALSE(ManifestFromJson(text).ok()) << text;
  }
}

}  // namespace
}  // namespace enigma::engine
