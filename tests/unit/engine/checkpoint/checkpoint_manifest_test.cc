#include "engine/checkpoint/checkpoint_manifest.h"

#include <cmath>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/message_of.h"

namespace enigma::engine {
namespace {

using ::enigma::testing::MessageOf;

using ::testing::HasSubstr;

CheckpointManifest Some() {
  return {.step = 1200,
          .files = {{"state.safetensors", 77, Sha256Of("x")}, {"notes", 0, Sha256Of("")}},
          .validation_loss = 0.1,
          .made_by = "node ü",
          .time = absl::FromUnixMillis(1'790'000'000'123)};
}

TEST(CheckpointManifestTest, WhatIsWrittenIsRead) {
  for (const auto loss : {std::optional<double>(0.1), std::optional<double>(2), std::optional<double>()}) {
    CheckpointManifest manifest = Some();
    manifest.validation_loss = loss;
    const auto json = CheckpointManifestToJson(manifest);
    ASSERT_TRUE(json.ok()) << json.status();
    const auto read = CheckpointManifestFromJson(*json);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(read->step, 1200U);
    EXPECT_EQ(read->files, manifest.files);
    EXPECT_EQ(read->validation_loss, loss);
    EXPECT_EQ(read->made_by, "node ü");
    EXPECT_EQ(read->time, manifest.time);
  }
}

TEST(CheckpointManifestTest, EveryChangedBitIsSeen) {
  const std::string json = CheckpointManifestToJson(Some()).value();
  for (size_t i = 0; i < json.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string changed = json;
      changed[i] = static_cast<char>(changed[i] ^ (1 << bit));
      EXPECT_FALSE(CheckpointManifestFromJson(changed).ok()) << changed;
    }
    EXPECT_EQ(CheckpointManifestFromJson(json.substr(0, i)).status().code(), absl::StatusCode::kDataLoss);
  }
}

TEST(CheckpointManifestTest, ALaterFormatIsNotCalledDamage) {
  EXPECT_EQ(CheckpointManifestFromJson(R"({"format": 2})").status().code(), absl::StatusCode::kUnimplemented);
}

TEST(CheckpointManifestTest, RefusesWhatItCannotStore) {
  CheckpointManifest manifest = Some();
  manifest.validation_loss = std::numeric_limits<double>::infinity();
  EXPECT_THAT(MessageOf(CheckpointManifestToJson(manifest).status()), HasSubstr("a validation loss of inf"));
  manifest = Some();
  manifest.made_by = "\xFF";
  EXPECT_THAT(MessageOf(CheckpointManifestToJson(manifest).status()), HasSubstr("not UTF-8"));
  manifest = Some();
  manifest.files[1].name = manifest.files[0].name;
  EXPECT_THAT(MessageOf(CheckpointManifestToJson(manifest).status()), HasSubstr("two files"));
}

TEST(CheckpointManifestTest, NamesOfFilesStayWithinTheFolder) {
  for (const char* name : {"state.safetensors", "a", "A-1_b.c"}) EXPECT_TRUE(CheckCheckpointFileName(name).ok());
  for (const char* name : {"", ".", "..", "../x", "a/b", ".x", "manifest.json", "a b", "ü"}) {
    EXPECT_FALSE(CheckCheckpointFileName(name).ok()) << name;
  }
  EXPECT_FALSE(CheckCheckpointFileName(std::string(101, 'a')).ok());
  EXPECT_FALSE(CheckCheckpointFileName(std::string_view("a\0b", 3)).ok());
}

TEST(CheckpointManifestTest, DeepJsonIsRefused) {
  EXPECT_FALSE(CheckpointManifestFromJson(std::string(1 << 20, '[')).ok());
  const std::string nested = std::string(1 << 18, '[') + std::string(1 << 18, ']');
  EXPECT_FALSE(CheckpointManifestFromJson(R"({"format":1,"hash":)" + nested + "}").ok());
  EXPECT_FALSE(CheckpointManifestFromJson(std::string((1 << 20) + 1, ' ')).ok());
}

}  // namespace
}  // namespace enigma::engine
