#include "engine/weights/quantise_model.h"

#include <algorithm>
#include <fstream>
#include <iterator>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/spec/gguf_encode.h"
#include "engine/spec/router_spec.h"
#include "engine/weights/synth.h"
#include "tests/support/edited_model.h"
#include "tests/support/message_of.h"
#include "tests/unit/engine/weights/temporary_folder.h"

namespace enigma::engine {
namespace {

using ::enigma::testing::MessageOf;

using ::testing::HasSubstr;
using testing::TemporaryFolder;

constexpr uint64_t kWide = 64;  // an alignment

std::string Content(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

class QuantiseModelTest : public ::testing::Test {
 protected:
  void SetUp() override { ASSERT_TRUE(SynthesiseModel("tiny", "f32", plain_).ok()); }
  static std::unique_ptr<GgufFile> Open(const std::string& path) {
    auto file = GgufFile::Open(path);
    EXPECT_TRUE(file.ok()) << file.status();
    return file.ok() ? *std::move(file) : nullptr;
  }

  const TemporaryFolder folder_;
  const std::string plain_ = folder_.File("plain.gguf");
  const std::string quantised_ = folder_.File("quantised.gguf");
};

// Synthetic weights are the same numbers in every type.
TEST_F(QuantiseModelTest, WeightsAreThoseOfAModelThatWasStoredSoFromTheStart) {
  for (const std::string type : {"q8_0", "q4_0", "f16"}) {
    SCOPED_TRACE(type);
    const std::string made = folder_.File("made-" + type + ".gguf");
    ASSERT_TRUE(SynthesiseModel("tiny", type, made).ok());
    const auto bytes = QuantiseModel(plain_, type, quantised_);
    ASSERT_TRUE(bytes.ok()) << bytes.status();
    EXPECT_EQ(*bytes, std::filesystem::file_size(quantised_));
    const auto wanted = Open(made), got = Open(quantised_);
    ASSERT_EQ(got->tensors().size(), wanted->tensors().size());
    for (const TensorInfo& tensor : wanted->tensors()) {
      const TensorInfo* same = got->FindTensor(tensor.name);
      ASSERT_NE(same, nullptr) << tensor.name;
      EXPECT_EQ(same->type, tensor.type) << tensor.name;
      EXPECT_TRUE(std::ranges::equal(got->TensorData(*same), wanted->TensorData(tensor))) << tensor.name;
    }
    EXPECT_EQ(*got->metadata().Uint("general.file_type"), *wanted->metadata().Uint("general.file_type"));
  }
}

TEST_F(QuantiseModelTest, ARouterStaysOneWithItsCalibrationAndItsTokenizer) {
  RouterSpec router;
  router.labels = {"chat", "code"};
  router.label_tokens = {300, 301};
  router.temperature = 1.75;
  router.threshold = 0.625;
  const std::string source = folder_.File("router.gguf");
  enigma::testing::EditModel(plain_, source,
                             [&](enigma::testing::EditableModel& model) { SetRouterKeys(router, model.metadata); });
  ASSERT_TRUE(QuantiseModel(source, "q8_0", quantised_).ok());
  const auto before = Open(source), after = Open(quantised_);
  EXPECT_EQ(after->metadata().keys(), before->metadata().keys());
  const auto read = RouterSpecFromGguf(after->metadata());
  ASSERT_TRUE(read.ok() && read->has_value()) << read.status();
  EXPECT_EQ((*read)->labels, router.labels);
  EXPECT_EQ((*read)->label_tokens, router.label_tokens);
  EXPECT_EQ((*read)->temperature, router.temperature);
  EXPECT_EQ((*read)->threshold, router.threshold);
  for (const char* key : {"tokenizer.ggml.tokens", "tokenizer.ggml.token_type", "tokenizer.ggml.scores"}) {
    const auto wanted = before->metadata().Array(key), got = after->metadata().Array(key);
    ASSERT_TRUE(wanted.ok() && got.ok()) << key;
    EXPECT_EQ((*got)->strings, (*wanted)->strings) << key;
    EXPECT_EQ((*got)->integers, (*wanted)->integers) << key;
    EXPECT_EQ((*got)->floats, (*wanted)->floats) << key;
  }
}

TEST_F(QuantiseModelTest, WhatIsQuantisedIsNotMadeAnotherTypeAndStaysAsItIsInItsOwn) {
  ASSERT_TRUE(QuantiseModel(plain_, "q4_0", quantised_).ok());
  const std::string again = folder_.File("again.gguf");
  const auto other = QuantiseModel(quantised_, "q8_0", again);
  EXPECT_EQ(other.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(MessageOf(other.status()), HasSubstr("token_embd.weight"));
  EXPECT_THAT(MessageOf(other.status()), HasSubstr("is q4_0 already"));
  EXPECT_FALSE(std::filesystem::exists(again));
  const auto same = QuantiseModel(quantised_, "q4_0", again);
  ASSERT_TRUE(same.ok()) << same.status();
  const auto wanted = Open(quantised_), got = Open(again);
  for (const TensorInfo& tensor : wanted->tensors()) {
    EXPECT_TRUE(std::ranges::equal(got->TensorData(*got->FindTensor(tensor.name)), wanted->TensorData(tensor)));
  }
}

// A file of another alignment is read as one, and what is written says what the writer keeps.
TEST_F(QuantiseModelTest, TheAlignmentIsTheWritersOwn) {
  const std::string source = folder_.File("wide.gguf");
  enigma::testing::EditModel(plain_, source, [](enigma::testing::EditableModel& model) {
    model.metadata.Set("general.alignment", uint64_t{kWide});
  });
  std::string bytes = Content(source);
  const auto head =
      GgufFile::ParseHead({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()}, bytes.size() + kWide, source);
  ASSERT_TRUE(head.ok()) << head.status();
  const size_t data = (*head)->HeadBytes().size();
  bytes.insert(GgufAligned(data), (data + kWide - 1) / kWide * kWide - GgufAligned(data), '\0');
  std::ofstream(source, std::ios::binary) << bytes;

  const auto quantised = QuantiseModel(source, "q8_0", quantised_);
  ASSERT_TRUE(quantised.ok()) << quantised.status();
  const std::string made = folder_.File("made.gguf");
  ASSERT_TRUE(QuantiseModel(plain_, "q8_0", made).ok());
  const auto wanted = Open(made), got = Open(quantised_);
  ASSERT_TRUE(wanted != nullptr && got != nullptr);
  EXPECT_EQ(got->metadata().UintOr("general.alignment", 0), kGgufAlignment);
  for (const TensorInfo& tensor : wanted->tensors()) {
    EXPECT_TRUE(std::ranges::equal(got->TensorData(*got->FindTensor(tensor.name)), wanted->TensorData(tensor)))
        << tensor.name;
  }
}

TEST_F(QuantiseModelTest, ATypeThatThereIsNoneOfIsRefusedWithThoseThereAre) {
  for (const char* type : {"q9", "q4_k_m", ""}) {
    const auto quantised = QuantiseModel(plain_, type, quantised_);
    EXPECT_EQ(quantised.status().code(), absl::StatusCode::kInvalidArgument) << type;
    EXPECT_THAT(MessageOf(quantised.status()), HasSubstr("q8_0, q4_0")) << type;
  }
  EXPECT_EQ(QuantiseModel(folder_.File("absent.gguf"), "q8_0", quantised_).status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace enigma::engine
