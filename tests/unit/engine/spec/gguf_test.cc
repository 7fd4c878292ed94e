#include "engine/spec/gguf.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/message_of.h"
#include "tests/support/test_data.h"
#include "tests/unit/engine/spec/gguf_bytes.h"

namespace enigma::engine {
namespace {

using ::enigma::testing::MessageOf;

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::GgufBytes;
using ::testing::HasSubstr;

absl::StatusOr<std::unique_ptr<GgufFile>> Parse(const GgufBytes& file) {
  return GgufFile::ParseHead(file.bytes(), file.size(), "lie.gguf");
}

GgufBytes SmallFile(uint32_t version = 3) {
  GgufBytes file;
  file.Header(2, 3, version)
      .TextPair("general.architecture", "llama")
      .UintPair("llama.block_count", 7)
      .FloatPair("llama.rope.freq_base", 10000.0F)
      .Tensor("a", {4, 2}, 0, 0)
      .Tensor("b", {32}, 8, 32)
      .Data(32 + 34);
  return file;
}

TEST(GgufTest, ReadsBothVersionsFromAFileOnDisk) {
  const auto path = std::filesystem::path(::testing::TempDir()) / "gguf_test_small.gguf";
  for (const uint32_t version : {2U, 3U}) {
    const GgufBytes bytes = SmallFile(version);
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(bytes.bytes().data()), static_cast<std::streamsize>(bytes.size()));
    const auto file = GgufFile::Open(path.string());
    ASSERT_TRUE(file.ok()) << file.status();
    const GgufMetadata& metadata = (*file)->metadata();
    EXPECT_THAT(metadata.keys(), ElementsAre("general.architecture", "llama.block_count", "llama.rope.freq_base"));
    EXPECT_EQ(metadata.String("general.architecture").value(), "llama");
    EXPECT_EQ(metadata.Uint("llama.block_count").value(), 7U);
    EXPECT_EQ(metadata.Float("llama.rope.freq_base").value(), 10000.0);
    const TensorInfo* b = (*file)->FindTensor("b");
    ASSERT_NE(b, nullptr);
    EXPECT_EQ(b->type, DType::kQ8_0);
    EXPECT_EQ(b->bytes, 34U);
    EXPECT_EQ(b->offset % 32, 0U);
    EXPECT_EQ(b->offset + b->bytes, bytes.size());
    EXPECT_EQ((*file)->TensorData(*b).data() + 34, (*file)->HeadBytes().data() + bytes.size());
    EXPECT_EQ((*file)->FindTensor("c"), nullptr);
  }
  std::filesystem::remove(path);
}

TEST(GgufTest, ParsesTheHeadAloneAsIfTheFileWereThere) {
  const GgufBytes bytes = SmallFile();
  const auto whole = Parse(bytes);
  ASSERT_TRUE(whole.ok()) << whole.status();
  const auto head_bytes = (*whole)->HeadBytes();
  const auto head = GgufFile::ParseHead(head_bytes, bytes.size(), "head");
  ASSERT_TRUE(head.ok()) << head.status();
  EXPECT_EQ((*head)->FindTensor("b")->offset, (*whole)->FindTensor("b")->offset);
  EXPECT_EQ((*head)->file_size(), bytes.size());
  EXPECT_TRUE((*head)->TensorData(*(*head)->FindTensor("b")).empty());
  EXPECT_TRUE(std::equal(head_bytes.begin(), head_bytes.end(), (*head)->HeadBytes().begin()));
}

TEST(GgufTest, LookupsNameTheKeyAndWhatItIs) {
  const auto file = Parse(SmallFile());
  ASSERT_TRUE(file.ok()) << file.status();
  const GgufMetadata& metadata = (*file)->metadata();
  EXPECT_THAT(MessageOf(metadata.Uint("general.architecture").status()),
              AllOf(HasSubstr("'general.architecture'"), HasSubstr("a string")));
  EXPECT_EQ(metadata.Uint("absent").status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(MessageOf(metadata.String("absent").status()), HasSubstr("'absent' is missing"));
  EXPECT_EQ(metadata.UintOr("absent", 5), 5U);
  EXPECT_EQ(metadata.StringOr("absent", "x"), "x");
}

TEST(GgufTest, ReadsEveryValueType) {
  GgufBytes bytes;
  bytes.Header(0, 15);
  bytes.Text("u8").U32(0).Put<uint8_t>(200).Text("i8").U32(1).Put<int8_t>(-3);
  bytes.Text("u16").U32(2).Put<uint16_t>(60000).Text("i16").U32(3).Put<int16_t>(-300);
  bytes.Text("u32").U32(4).U32(4000000000U).Text("i32").U32(5).Put<int32_t>(-70000);
  bytes.Text("f32").U32(6).Put(1.5F).Text("bool").U32(7).Put<uint8_t>(1).Text("text").U32(8).Text("hi");
  bytes.Text("u64").U32(10).U64(UINT64_MAX).Text("i64").U32(11).Put<int64_t>(INT64_MIN);
  bytes.Text("f64").U32(12).Put(2.25);
  bytes.Text("ints").U32(9).U32(5).U64(2).Put<int32_t>(-1).Put<int32_t>(2);
  bytes.Text("floats").U32(9).U32(6).U64(1).Put(0.5F);
  bytes.Text("texts").U32(9).U32(8).U64(2).Text("a").Text("");
  const auto file = Parse(bytes);
  ASSERT_TRUE(file.ok()) << file.status();
  const GgufMetadata& metadata = (*file)->metadata();
  EXPECT_EQ(metadata.Uint("u8").value(), 200U);
  EXPECT_EQ(metadata.Uint("u16").value(), 60000U);
  EXPECT_EQ(metadata.Uint("u32").value(), 4000000000U);
  EXPECT_EQ(metadata.Uint("u64").value(), UINT64_MAX);
  EXPECT_EQ(std::get<int64_t>(*metadata.Find("i8")), -3);
  EXPECT_EQ(std::get<int64_t>(*metadata.Find("i16")), -300);
  EXPECT_EQ(std::get<int64_t>(*metadata.Find("i32")), -70000);
  EXPECT_EQ(std::get<int64_t>(*metadata.Find("i64")), INT64_MIN);
  EXPECT_FALSE(metadata.Uint("i8").ok());
  EXPECT_EQ(metadata.Float("f32").value(), 1.5);
  EXPECT_EQ(metadata.Float("f64").value(), 2.25);
  EXPECT_TRUE(metadata.Bool("bool").value());
  EXPECT_EQ(metadata.String("text").value(), "hi");
  EXPECT_THAT(metadata.Array("ints").value()->integers, ElementsAre(-1, 2));
  EXPECT_THAT(metadata.Array("floats").value()->floats, ElementsAre(0.5));
  EXPECT_THAT(metadata.Array("texts").value()->strings, ElementsAre("a", ""));
}

struct Lie {
  const char* what;
  GgufBytes file;
  std::vector<const char*> said;  // what the error must contain, besides the file's name
};

// A file with one metadata pair, whose value the caller appends.
GgufBytes OnePair() {
  GgufBytes file;
  file.Header(0, 1).Text("key.x");
  return file;
}

// A file with one tensor entry written by the caller, and a page of data.
GgufBytes OneTensor(std::initializer_list<uint64_t> shape, uint32_t type, uint64_t offset, uint64_t data = 4096) {
  GgufBytes file;
  file.Header(1, 0).Tensor("w.x", shape, type, offset).Data(data);
  return file;
}

std::vector<Lie> Lies() {
  constexpr uint64_t kHuge = UINT64_MAX / 2;
  std::vector<Lie> lies;
  const auto add = [&](const char* what, const GgufBytes& file, std::vector<const char*> said) {
    lies.push_back({what, file, std::move(said)});
  };
  add("no bytes", GgufBytes(), {"ends early", "magic"});
  add("other magic", GgufBytes().Raw("GGML").U32(3).U64(0).U64(0), {"not a GGUF file", "byte 0"});
  add("version 1", GgufBytes().Header(0, 0, 1), {"version 1", "byte 4"});
  add("version 4", GgufBytes().Header(0, 0, 4), {"version 4", "2 and 3"});
  add("big-endian", GgufBytes().Header(0, 0, 3U << 24), {"big-endian"});
  add("header cut", GgufBytes().Raw("GGUF").U32(3).U64(0), {"ends early", "byte 16"});
  add("tensor count", GgufBytes().Header(kHuge, 0).Data(512), {"tensors", "byte 8"});
  add("pair count", GgufBytes().Header(0, kHuge).Data(512), {"metadata pairs", "byte 16"});
  add("key length", GgufBytes().Header(0, 1).U64(kHuge).Data(64), {"metadata pair 0", "the key claims", "byte 24"});
  add("key too long", GgufBytes().Header(0, 1).Text(std::string(70000, 'k')).U32(4).U32(1), {"at most 65535"});
  add("empty key", GgufBytes().Header(0, 1).UintPair("", 1), {"key is empty"});
  add("key twice", GgufBytes().Header(0, 2).UintPair("k", 1).UintPair("k", 2), {"'k'", "twice"});
  add("value type", OnePair().U32(13).U64(0), {"'key.x'", "value type 13"});
  add("value cut", OnePair().U32(10).U32(0), {"'key.x'", "ends early", "8 bytes"});
  add("bool of 2", OnePair().U32(7).Put<uint8_t>(2).U64(0), {"'key.x'", "0 or 1"});
  add("string length", OnePair().U32(8).U64(kHuge), {"'key.x'", "the string claims"});
  add("nested array", OnePair().U32(9).U32(9).U64(0), {"'key.x'", "arrays of arrays"});
  add("element type", OnePair().U32(9).U32(77).U64(0), {"'key.x'", "element type 77"});
  add("array length", OnePair().U32(9).U32(4).U64(kHuge).U64(0), {"'key.x'", "elements of at least 4"});
  add("array of strings", OnePair().U32(9).U32(8).U64(kHuge / 4).U64(0), {"'key.x'", "elements of at least 8"});
  add("string of an array", OnePair().U32(9).U32(8).U64(1).U64(kHuge), {"'key.x'", "a string of the array claims"});
  add("array too long", OnePair().U32(9).U32(0).U64(17 << 20).Data(18 << 20), {"'key.x'", "at most 16777216"});
  add("control bytes in a key", GgufBytes().Header(0, 1).Text("\x01\n").U32(99).U64(0), {"\\x01\\n", "type 99"});
  add("name length", GgufBytes().Header(1, 0).U64(kHuge).Data(64), {"tensor 0", "the name claims"});
  add("name too long", GgufBytes().Header(1, 0).Tensor(std::string(65, 'n'), {1}, 0, 0).Data(64), {"at most 64"});
  add("empty name", GgufBytes().Header(1, 0).Tensor("", {1}, 0, 0).Data(64), {"name is empty"});
  add("name twice", GgufBytes().Header(2, 0).Tensor("n", {8}, 0, 0).Tensor("n", {8}, 0, 32).Data(64), {"'n'", "twice"});
  add("no dimensions", OneTensor({}, 0, 0), {"'w.x'", "0 dimensions"});
  add("five dimensions", OneTensor({1, 1, 1, 1, 1}, 0, 0), {"'w.x'", "5 dimensions"});
  add("empty dimension", OneTensor({4, 0}, 0, 0), {"'w.x'", "dimension 1 is 0"});
  add("elements overflow", OneTensor({uint64_t{1} << 40, uint64_t{1} << 40}, 0, 0), {"'w.x'", "overflows"});
  add("bytes overflow", OneTensor({uint64_t{1} << 62}, 0, 0), {"'w.x'", "whole file"});
  add("larger than the file", OneTensor({1 << 20}, 0, 0), {"'w.x'", "whole file"});
  add("foreign type", OneTensor({256}, 10, 0), {"'w.x'", "type 10 (q2_k)", "are"});
  add("unknown type", OneTensor({256}, 12345, 0), {"'w.x'", "type 12345"});
  add("partial block", OneTensor({100}, 2, 0), {"'w.x'", "whole blocks of 32"});
  add("partial K block", OneTensor({128}, 12, 0), {"'w.x'", "whole blocks of 256"});
  add("unaligned offset", OneTensor({8}, 0, 8), {"'w.x'", "multiple of 32"});
  add("offset beyond", OneTensor({8}, 0, uint64_t{1} << 40), {"'w.x'", "beyond the end"});
  add("offset overflows", OneTensor({8}, 0, UINT64_MAX - 31), {"'w.x'", "beyond the end"});
  add("data cut short", OneTensor({1024}, 0, 0, 4095), {"'w.x'", "beyond the end"});
  add("overlap", GgufBytes().Header(2, 0).Tensor("p", {16}, 0, 0).Tensor("q", {16}, 0, 32).Data(128),
      {"'q'", "overlaps", "'p'"});
  add("alignment 0", GgufBytes().Header(0, 1).UintPair("general.alignment", 0), {"alignment", "power of two"});
  add("alignment 48", GgufBytes().Header(0, 1).UintPair("general.alignment", 48), {"alignment", "power of two"});
  add("alignment huge", GgufBytes().Header(0, 1).UintPair("general.alignment", 1U << 31), {"power of two"});
  add("alignment text", GgufBytes().Header(0, 1).TextPair("general.alignment", "32"),
      {"'general.alignment'", "a string"});
  add("tensor table cut", GgufBytes().Header(1, 0).Text("w.x").U32(2).U64(8).U64(1).U32(0).U32(0),
      {"'w.x'", "ends early"});
  return lies;
}

TEST(GgufTest, NamesEveryLieWithFilePlaceAndOffset) {
  for (const Lie& lie : Lies()) {
    SCOPED_TRACE(lie.what);
    const auto file = Parse(lie.file);
    ASSERT_FALSE(file.ok());
    const std::string message = MessageOf(file.status());
    EXPECT_THAT(message, AllOf(HasSubstr("lie.gguf: "), HasSubstr(" at byte ")));
    for (const char* said : lie.said) EXPECT_THAT(message, HasSubstr(said));
  }
}

TEST(GgufTest, EveryTruncationIsAnError) {
  const GgufBytes whole = SmallFile();
  for (size_t length = 0; length < whole.size(); ++length) {
    EXPECT_FALSE(GgufFile::ParseHead(whole.bytes().first(length), length, "cut").ok()) << length;
  }
}

TEST(GgufTest, OpenSaysWhyNot) {
  const auto absent = GgufFile::Open("/nonexistent/model.gguf");
  EXPECT_EQ(absent.status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(MessageOf(absent.status()), HasSubstr("/nonexistent/model.gguf: cannot open"));
  EXPECT_THAT(MessageOf(GgufFile::Open(::testing::TempDir()).status()), HasSubstr("not a regular file"));
  const auto path = std::filesystem::path(::testing::TempDir()) / "gguf_test_empty.gguf";
  std::ofstream(path).flush();
  EXPECT_THAT(MessageOf(GgufFile::Open(path.string()).status()), HasSubstr("empty"));
  std::filesystem::remove(path);
  const auto pipe = path.string() + ".pipe";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_THAT(MessageOf(GgufFile::Open(pipe).status()), HasSubstr("not a regular file"));
  std::filesystem::remove(pipe);
}

TEST(GgufTest, ReadsTheVocabularyFilesOfTheSharedData) {
  ENIGMA_REQUIRE_DATA(folder, "tokenizers");
  int found = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".gguf") continue;
    ++found;
    const auto file = GgufFile::Open(entry.path().string());
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_TRUE((*file)->tensors().empty());
    const auto tokens = (*file)->metadata().Array("tokenizer.ggml.tokens");
    ASSERT_TRUE(tokens.ok()) << tokens.status();
    EXPECT_GT((*tokens)->strings.size(), 30000U);
  }
  EXPECT_GT(found, 0);
}

}  // namespace
}  // namespace enigma::engine
