#include "engine/spec/gguf_writer.h"

#include <sys/resource.h>

#include <csignal>
#include <fstream>
#include <numeric>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/message_of.h"
#include "tests/support/test_data.h"
#include "tests/unit/engine/weights/temporary_folder.h"

namespace enigma::engine {
namespace {

using ::enigma::testing::MessageOf;

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::TemporaryFolder;

std::vector<uint8_t> Counting(size_t count) {
  std::vector<uint8_t> bytes(count);
  std::iota(bytes.begin(), bytes.end(), uint8_t{1});
  return bytes;
}

GgufMetadata SomeMetadata() {
  GgufMetadata metadata;
  metadata.Set("a.uint", uint64_t{7});
  metadata.Set("a.wide", uint64_t{1} << 40);
  metadata.Set("a.int", int64_t{-7});
  metadata.Set("a.float", 0.5);
  metadata.Set("a.bool", true);
  metadata.Set("a.text", std::string("text"));
  auto ints = std::make_unique<GgufArray>();
  ints->integers = {-1, 5};
  metadata.Set("a.ints", std::move(ints));
  auto wide = std::make_unique<GgufArray>();
  wide->integers = {-1, int64_t{1} << 40};
  metadata.Set("a.wide_ints", std::move(wide));
  auto floats = std::make_unique<GgufArray>();
  floats->floats = {0.25, -2};
  metadata.Set("a.floats", std::move(floats));
  auto texts = std::make_unique<GgufArray>();
  texts->strings = {"x", "", "yz"};
  metadata.Set("a.texts", std::move(texts));
  return metadata;
}

TEST(GgufWriterTest, WhatIsWrittenIsRead) {
  const TemporaryFolder folder;
  const std::string path = folder.File("m.gguf");
  auto writer = GgufWriter::Create(path, SomeMetadata(), {{"v", DType::kF32, {3}}, {"m", DType::kQ8_0, {64, 2}}});
  ASSERT_TRUE(writer.ok()) << writer.status();
  const auto v = Counting(12);
  const auto m = Counting(4 * 34);
  ASSERT_TRUE((*writer)->Write(v).ok());
  ASSERT_TRUE((*writer)->Write(std::span(m).first(50)).ok());
  ASSERT_TRUE((*writer)->Write(std::span(m).subspan(50)).ok());
  EXPECT_FALSE(std::filesystem::exists(path));
  const auto bytes = (*writer)->Finish();
  ASSERT_TRUE(bytes.ok()) << bytes.status();
  EXPECT_EQ(*bytes, std::filesystem::file_size(path));

  const auto file = GgufFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  const GgufMetadata& metadata = (*file)->metadata();
  EXPECT_EQ(metadata.Uint("a.uint").value(), 7U);
  EXPECT_EQ(metadata.Uint("a.wide").value(), uint64_t{1} << 40);
  EXPECT_EQ(std::get<int64_t>(*metadata.Find("a.int")), -7);
  EXPECT_EQ(metadata.Float("a.float").value(), 0.5);
  EXPECT_TRUE(metadata.Bool("a.bool").value());
  EXPECT_EQ(metadata.String("a.text").value(), "text");
  EXPECT_THAT(metadata.Array("a.ints").value()->integers, ElementsAre(-1, 5));
  EXPECT_THAT(metadata.Array("a.wide_ints").value()->integers, ElementsAre(-1, int64_t{1} << 40));
  EXPECT_THAT(metadata.Array("a.floats").value()->floats, ElementsAre(0.25, -2));
  EXPECT_THAT(metadata.Array("a.texts").value()->strings, ElementsAre("x", "", "yz"));
  const auto read_v = (*file)->TensorData(*(*file)->FindTensor("v"));
  const auto read_m = (*file)->TensorData(*(*file)->FindTensor("m"));
  EXPECT_TRUE(std::equal(v.begin(), v.end(), read_v.begin(), read_v.end()));
  EXPECT_TRUE(std::equal(m.begin(), m.end(), read_m.begin(), read_m.end()));
}

TEST(GgufWriterTest, LeavesNothingWhenItIsNotFinished) {
  const TemporaryFolder folder;
  const std::string path = folder.File("m.gguf");
  {
    auto writer = GgufWriter::Create(path, {}, {{"v", DType::kF32, {3}}});
    ASSERT_TRUE(writer.ok()) << writer.status();
    EXPECT_FALSE(folder.empty());
    EXPECT_THAT(MessageOf((*writer)->Write(Counting(13))), HasSubstr("tensor 'v' takes 12 bytes; 13 were given"));
    EXPECT_THAT(MessageOf((*writer)->Finish().status()), HasSubstr("tensor 'v' is not complete"));
  }
  EXPECT_TRUE(folder.empty());
}

TEST(GgufWriterTest, AnExistingFileStaysUntilTheNewOneIsWhole) {
  const TemporaryFolder folder;
  const std::string path = folder.File("m.gguf");
  std::ofstream(path) << "old";
  auto writer = GgufWriter::Create(path, {}, {{"v", DType::kF32, {3}}});
  ASSERT_TRUE(writer.ok()) << writer.status();
  ASSERT_TRUE((*writer)->Write(Counting(12)).ok());
  EXPECT_EQ(enigma::testing::ReadFileOrDie(path), "old");
  ASSERT_TRUE((*writer)->Finish().ok());
  EXPECT_TRUE(GgufFile::Open(path).ok());
  EXPECT_FALSE((*writer)->Write(Counting(1)).ok());
}

TEST(GgufWriterTest, RefusesWhatCannotBeStored) {
  const TemporaryFolder folder;
  const auto error = [&](const TensorPlan& tensor) {
    return MessageOf(GgufWriter::Create(folder.File("m.gguf"), {}, {tensor}).status());
  };
  EXPECT_THAT(error({"t", DType::kQ4_0, {33}}), HasSubstr("tensor 't' cannot be stored as q4_0"));
  EXPECT_THAT(error({"t", DType::kF32, {}}), HasSubstr("dimensions"));
  EXPECT_THAT(error({"t", DType::kF32, {0}}), HasSubstr("0 or overflows"));
  EXPECT_THAT(error({"t", DType::kF32, {uint64_t{1} << 40, uint64_t{1} << 40}}), HasSubstr("overflows"));
  EXPECT_TRUE(folder.empty());
}

TEST(GgufWriterTest, SaysThatTheDiskIsTooFullBeforeItWrites) {
  const TemporaryFolder folder;
  const auto writer = GgufWriter::Create(folder.File("m.gguf"), {}, {{"t", DType::kF32, {uint64_t{1} << 54}}});
  EXPECT_EQ(writer.status().code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(MessageOf(writer.status()), HasSubstr("bytes are needed"));
  EXPECT_TRUE(folder.empty());
}

// A limit on file sizes stands for a disk that fills while the file is written.
TEST(GgufWriterTest, AFailedWriteLeavesNothing) {
  const TemporaryFolder folder;
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  rlimit small = before;
  small.rlim_cur = 4096;
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &small), 0);
  absl::Status status;
  {
    auto writer = GgufWriter::Create(folder.File("m.gguf"), {}, {{"t", DType::kF32, {1 << 20}}});
    status = writer.ok() ? (*writer)->Write(Counting(4 << 20)) : writer.status();
  }
  ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_FALSE(status.ok());
  EXPECT_THAT(MessageOf(status), HasSubstr("m.gguf: cannot "));
  EXPECT_TRUE(folder.empty());
}

TEST(GgufWriterTest, NamesAFolderThatIsNotThere) {
  const auto writer = GgufWriter::Create("/nonexistent/m.gguf", {}, {});
  EXPECT_EQ(writer.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(MessageOf(writer.status()), HasSubstr("/nonexistent/m.gguf"));
}

}  // namespace
}  // namespace enigma::engine
