// Models that take pictures: their two files, the stage that encodes, and requests with images.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/spec/manifest.h"
#include "tests/support/synthetic_vision.h"
#include "tests/unit/coordinator/coordinator_fixture.h"

namespace enigma::coordinator::testing {
namespace {

using ::testing::HasSubstr;

class VisionTest : public CoordinatorTest {
 protected:
  // An encoder that goes before "stories", which is 64 wide.
  std::string WriteEncoder(uint32_t output = 64) {
    engine::VisionSpec spec = enigma::testing::SmallVisionSpec();
    spec.output = output;
    auto weights = enigma::testing::RandomVisionWeights(spec, 5);
    std::string path = absl::StrCat(folder_, "/encoder-", output, ".gguf");
    enigma::testing::WriteVisionModel(path, spec, weights, engine::DType::kF32);
    return path;
  }
  grpc::Status ImportEye(const std::string& encoder, bool replace = false) {
    enigma::v1::ImportModelRequest request;
    request.set_path(model_path_);
    request.set_encoder_path(encoder);
    request.set_name("eye");
    request.set_replace(replace);
    return Import(request);
  }
};

TEST_F(VisionTest, AModelIsTwoFilesAndSurvivesARestart) {
  StartCoordinator(Options());
  const std::string encoder = WriteEncoder();
  const grpc::Status imported = ImportEye(encoder);
  ASSERT_TRUE(imported.ok()) << imported.error_message();
  EXPECT_EQ(imported_.encoder().path(), encoder);
  EXPECT_EQ(imported_.encoder().image_size(), 24u);
  EXPECT_EQ(imported_.encoder().rows(), 9u);
  const std::string content = imported_.content_id();
  coordinator_.reset();
  StartCoordinator(Options());
  ASSERT_TRUE(ImportEye(encoder).ok()) << "the same content again";
  EXPECT_EQ(imported_.content_id(), content);
  EXPECT_EQ(ImportFile(model_path_, "eye").error_code(), grpc::StatusCode::ALREADY_EXISTS);

  const auto file = engine::GgufFile::Open(encoder);
  ASSERT_TRUE(file.ok()) << file.status();
  const auto manifest = engine::BuildManifest(**file, "eye");
  ASSERT_TRUE(manifest.ok()) << manifest.status();
  for (const engine::Blob& blob : manifest->blobs) {
    grpc::ClientContext context;
    enigma::v1::FetchRequest request;
    request.set_sha256(blob.hash.data(), blob.hash.size());
    const auto stream = content_->Fetch(&context, request);
    engine::Sha256Hasher hash;
    enigma::v1::FetchChunk chunk;
    while (stream->Read(&chunk)) hash.Update(chunk.data().data(), chunk.data().size());
    ASSERT_TRUE(stream->Finish().ok());
    EXPECT_EQ(hash.Finish(), blob.hash);
  }
}

TEST_F(VisionTest, WhatDoesNotGoTogetherIsRefused) {
  StartCoordinator(Options());
  EXPECT_THAT(ImportEye(WriteEncoder(72)).error_message(), HasSubstr("they do not go together"));
  EXPECT_THAT(ImportEye(model_path_).error_message(), HasSubstr("not that of an image encoder"));
  EXPECT_THAT(ImportEye(folder_ + "/none.gguf").error_message(), HasSubstr("none.gguf"));
  EXPECT_THAT(ImportFile(WriteEncoder(), "eye").error_message(), HasSubstr("--encoder"));
}

}  // namespace
}  // namespace enigma::coordinator::testing
