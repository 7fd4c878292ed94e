#include "engine/checkpoint/safetensors.h"

#include <cstring>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/checkpoint/safetensors_writer.h"
#include "tests/support/message_of.h"
#include "tests/unit/engine/weights/temporary_folder.h"

namespace enigma::engine {
namespace {

using ::enigma::testing::MessageOf;

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::StartsWith;
using testing::TemporaryFolder;

using Bytes = std::vector<uint8_t>;

// The file that a header and so many bytes of data make.
Bytes FileOf(const std::string& header, size_t data_bytes) {
  Bytes bytes(8);
  const uint64_t length = header.size();
  std::memcpy(bytes.data(), &length, sizeof length);
  bytes.insert(bytes.end(), header.begin(), header.end());
  for (size_t i = 0; i < data_bytes; ++i) bytes.push_back(static_cast<uint8_t>(i));
  return bytes;
}

std::string RefusalOf(const Bytes& bytes) {
  const auto file = SafetensorsFile::Parse(bytes, "f");
  EXPECT_EQ(file.status().code(), absl::StatusCode::kInvalidArgument);
  return MessageOf(file.status());
}
std::string RefusalOf(const std::string& header, size_t data_bytes) { return RefusalOf(FileOf(header, data_bytes)); }

ByteSink Into(Bytes& out) {
  return [&out](std::span<const uint8_t> bytes) {
    out.insert(out.end(), bytes.begin(), bytes.end());
    return absl::OkStatus();
  };
}

TEST(SafetensorsTest, WhatIsWrittenIsRead) {
  Bytes out;
  auto writer = SafetensorsWriter::Create({{"b", SafetensorsType::kF32, {2, 3}},
                                           {"none", SafetensorsType::kU8, {0, 7}},
                                           {"a", SafetensorsType::kI64, {}},
                                           {"ü\"\n", SafetensorsType::kBF16, {1}}},
                                          {{"step", "12"}, {"quote", "\"ü"}}, Into(out));
  ASSERT_TRUE(writer.ok()) << writer.status();
  Bytes data(24 + 8 + 2);
  for (size_t i = 0; i < data.size(); ++i) data[i] = static_cast<uint8_t>(i + 1);
  ASSERT_TRUE(writer->Write(std::span(data).first(5)).ok());
  EXPECT_THAT(MessageOf(writer->Finish()), HasSubstr("29 bytes of the tensors' data are missing"));
  ASSERT_TRUE(writer->Write(std::span(data).subspan(5)).ok());
  EXPECT_TRUE(writer->Finish().ok());
  EXPECT_FALSE(writer->Write(std::span(data).first(1)).ok());
  EXPECT_EQ(out.size(), writer->total_bytes());
  EXPECT_EQ((out.size() - data.size()) % 64, 0U);

  const auto file = SafetensorsFile::Parse(out, "f");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->metadata(), (SafetensorsMetadata{{"step", "12"}, {"quote", "\"ü"}}));
  ASSERT_EQ((*file)->tensors().size(), 4U);
  const SafetensorsTensor* b = (*file)->Find("b");
  ASSERT_NE(b, nullptr);
  EXPECT_EQ(b->type, SafetensorsType::kF32);
  EXPECT_THAT(b->shape, ElementsAre(2, 3));
  EXPECT_EQ((*file)->Data(*b).data(), out.data() + out.size() - data.size());
  EXPECT_EQ((*file)->Data(*b).size(), 24U);
  EXPECT_THAT((*file)->Find("none")->shape, ElementsAre(0, 7));
  EXPECT_THAT((*file)->Data(*(*file)->Find("none")), IsEmpty());
  EXPECT_THAT((*file)->Find("a")->shape, IsEmpty());
  EXPECT_EQ((*file)->Data(*(*file)->Find("a"))[0], 25);
  EXPECT_THAT((*file)->Data(*(*file)->Find("ü\"\n")), ElementsAre(33, 34));
  EXPECT_EQ((*file)->Find("c"), nullptr);
}

TEST(SafetensorsTest, ReadsWhatOthersWrite) {
  // Tensors out of order, spaces before the header's end, no metadata.
  const Bytes bytes = FileOf(
      R"({"y":{"shape":[2],"data_offsets":[4,8],"dtype":"F16"},"x":{"dtype":"I32","shape":[1,1],"data_offsets":[0,4]}}  )",
      8);
  const auto file = SafetensorsFile::Parse(bytes, "f");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->tensors()[0].name, "x");
  EXPECT_THAT((*file)->Data(*(*file)->Find("y")), ElementsAre(4, 5, 6, 7));
  EXPECT_TRUE(SafetensorsFile::Parse(FileOf("{}", 0), "f").ok());
}

TEST(SafetensorsTest, MapsAFileAndNamesItInErrors) {
  const TemporaryFolder folder;
  const Bytes bytes = FileOf(R"({"x":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}})", 3);
  const std::string path = folder.File("x.safetensors");
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  const auto file = SafetensorsFile::Open(path);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT((*file)->Data(*(*file)->Find("x")), ElementsAre(0, 1, 2));
  EXPECT_EQ((*file)->name(), path);
  EXPECT_EQ(SafetensorsFile::Open(folder.File("none")).status().code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(MessageOf(SafetensorsFile::Open(folder.File(".")).status()), HasSubstr("not a regular file"));
  std::ofstream(folder.File("empty")).flush();
  EXPECT_THAT(MessageOf(SafetensorsFile::Open(folder.File("empty")).status()), HasSubstr("empty: the file is empty"));
}

TEST(SafetensorsTest, EveryTruncationIsRefused) {
  const Bytes bytes = FileOf(R"({"x":{"dtype":"U8","shape":[3],"data_offsets":[0,3]}})", 3);
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_FALSE(SafetensorsFile::Parse(std::span(bytes).first(length), "f").ok()) << length;
  }
  Bytes longer = bytes;
  longer.push_back(0);
  EXPECT_THAT(RefusalOf(longer), HasSubstr("the tensors end at byte 3 of the data, the file has 4"));
}

TEST(SafetensorsTest, LengthsAreComparedBeforeTheyAreUsed) {
  Bytes bytes = FileOf("{}", 0);
  bytes[1] = 1;
  EXPECT_EQ(RefusalOf(bytes), "f: the header claims 258 bytes, the file has 2 left");
  bytes[7] = 0xFF;
  EXPECT_THAT(RefusalOf(bytes), HasSubstr("at most 100000000 are allowed"));
}

TEST(SafetensorsTest, HostileHeadersAreRefused) {
  const auto entry = [](const char* name, const char* shape, const char* offsets) {
    return std::string("\"") + name + R"(":{"dtype":"F32","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
  };
  const auto one = [&](const char* shape, const char* offsets) {
    return RefusalOf("{" + entry("x", shape, offsets) + "}", 8);
  };
  EXPECT_THAT(one("[3]", "[0,8]"), HasSubstr("tensor 'x': its shape takes 12 bytes, its data_offsets are 0 and 8"));
  EXPECT_THAT(one("[2]", "[8,0]"), HasSubstr("data_offsets are 8 and 0"));
  EXPECT_THAT(one("[4]", "[0,16]"), HasSubstr("reach beyond the 8 that the file has"));
  EXPECT_THAT(one("[1]", "[4,8]"), HasSubstr("nothing may lie between"));
  EXPECT_THAT(one("[1]", "[18446744073709551612,0]"), HasSubstr("data_offsets are 18446744073709551612 and 0"));
  EXPECT_THAT(one("[4294967296,4294967296]", "[0,8]"), HasSubstr("its size overflows"));
  EXPECT_THAT(one("[18446744073709551616]", "[0,8]"), HasSubstr("no whole one in 64 bits"));
  EXPECT_THAT(one("[-2]", "[0,8]"), HasSubstr("a negative number"));
  EXPECT_THAT(one("[2.0]", "[0,8]"), HasSubstr("no whole one"));
  EXPECT_THAT(one("[1,1,1,1,1,1,1,1,2]", "[0,8]"), HasSubstr("more than 8 dimensions"));
  EXPECT_THAT(one("[[2]]", "[0,8]"), HasSubstr("a list where none may stand"));
  EXPECT_THAT(one("[2]", "[0,4,8]"), HasSubstr("more than two data_offsets"));
  EXPECT_THAT(one("[2]", "[0]"), HasSubstr("needs two data_offsets"));
  EXPECT_THAT(one("2", "[0,8]"), HasSubstr("a number where none may stand"));
  EXPECT_THAT(RefusalOf("{" + entry("x", "[2]", "[0,8]") + "," + entry("y", "[1]", "[4,8]") + "}", 8),
              HasSubstr("they overlap"));
  EXPECT_THAT(RefusalOf("{" + entry("x", "[1]", "[0,4]") + "," + entry("x", "[1]", "[4,8]") + "}", 8),
              HasSubstr("tensor 'x': the name occurs twice"));
}

TEST(SafetensorsTest, OtherJsonIsRefused) {
  EXPECT_THAT(RefusalOf("[]", 0), HasSubstr("the header: must be an object, not a list"));
  EXPECT_THAT(RefusalOf("{", 0), HasSubstr("no JSON in UTF-8 from byte"));
  EXPECT_THAT(RefusalOf("{} {}", 0), HasSubstr("no JSON"));
  EXPECT_THAT(RefusalOf("{\"x\xFF\":{}}", 0), HasSubstr("no JSON in UTF-8"));
  EXPECT_THAT(RefusalOf(R"({"x":{}})", 0), HasSubstr("dtype, shape and data_offsets are needed"));
  EXPECT_THAT(RefusalOf(R"({"x":null})", 0), HasSubstr("tensor 'x': null where none may stand"));
  EXPECT_THAT(RefusalOf(R"({"x":{"a":1}})", 0), HasSubstr("field 'a' is unknown"));
  EXPECT_THAT(RefusalOf(R"({"x":{"dtype":"F32","dtype":"F32"}})", 0), HasSubstr("field 'dtype' occurs twice"));
  EXPECT_THAT(RefusalOf(R"({"x":{"dtype":"F8_E4M3"}})", 0), HasSubstr("type 'F8_E4M3' is not supported"));
  EXPECT_THAT(RefusalOf(R"({"__metadata__":{"a":1}})", 0), HasSubstr("metadata 'a': a number"));
  EXPECT_THAT(RefusalOf(R"({"__metadata__":{"a":"1","a":"2"}})", 0), HasSubstr("metadata 'a': the name occurs twice"));
  EXPECT_THAT(RefusalOf(R"({"__metadata__":{},"__metadata__":{}})", 0), HasSubstr("occurs twice"));
  EXPECT_THAT(RefusalOf(std::string(1 << 20, '['), 0), StartsWith("f: the header: must be"));
  EXPECT_THAT(RefusalOf(R"({"x":)" + std::string(1 << 20, '['), 0), HasSubstr("a list where none may stand"));
}

TEST(SafetensorsTest, TheWriterRefusesWhatReadersWould) {
  Bytes out;
  const auto refusal = [&](const std::vector<SafetensorsPlan>& tensors, const SafetensorsMetadata& metadata = {}) {
    return MessageOf(SafetensorsWriter::Create(tensors, metadata, Into(out)).status());
  };
  const SafetensorsPlan x = {"x", SafetensorsType::kF32, {2}};
  EXPECT_THAT(refusal({x, x}), HasSubstr("tensor 'x': the name occurs twice"));
  EXPECT_THAT(refusal({{"__metadata__", SafetensorsType::kF32, {2}}}), HasSubstr("twice"));
  EXPECT_THAT(refusal({{"\xFF", SafetensorsType::kF32, {2}}}), HasSubstr("is not UTF-8"));
  EXPECT_THAT(refusal({x}, {{"k", "\xC0\x80"}}), HasSubstr("is not UTF-8"));
  EXPECT_THAT(refusal({{"x", SafetensorsType::kF32, {uint64_t{1} << 40, uint64_t{1} << 40}}}), HasSubstr("overflows"));
  EXPECT_THAT(out, IsEmpty());
}

TEST(SafetensorsTest, TheSinksErrorEndsTheWriting) {
  const auto full = [](std::span<const uint8_t>) { return absl::ResourceExhaustedError("full"); };
  const auto writer = SafetensorsWriter::Create({{"x", SafetensorsType::kF32, {2}}}, {}, full);
  EXPECT_EQ(writer.status().code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace enigma::engine
