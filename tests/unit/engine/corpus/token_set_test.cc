#include "engine/corpus/token_set.h"

#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/corpus/token_set_layout.h"
#include "tests/unit/engine/corpus/small_token_set.h"

namespace enigma::engine {
namespace {

using ::testing::HasSubstr;
using testing::SmallBuilder;
using testing::SmallTokenSet;
using Part = TokenSet::Part;
namespace layout = token_set_layout;

std::vector<uint8_t> BytesOf(const TokenSet& set) { return {set.bytes().begin(), set.bytes().end()}; }

// Puts the hash right again, as a forger would.
void Sign(std::vector<uint8_t>& bytes) {
  Sha256Hasher hasher;
  hasher.Update(bytes.data(), layout::kHashAt);
  hasher.Update(bytes.data() + layout::kHeaderBytes, bytes.size() - layout::kHeaderBytes);
  const Sha256 hash = hasher.Finish();
  std::copy(hash.begin(), hash.end(), bytes.begin() + layout::kHashAt);
}

template <typename T>
void Put(std::vector<uint8_t>& bytes, size_t at, T value) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

std::string TokenSetError(std::vector<uint8_t> bytes) {
  const auto set = TokenSet::FromBytes(std::move(bytes), "hostile.tokens");
  return set.ok() ? "" : std::string(set.status().message());
}

TEST(TokenSetTest, KeepsWhatWasAdded) {
  for (const uint32_t vocabulary : {1000u, 65536u, 65537u, 200'000u}) {
    const auto set = SmallTokenSet({{5, 3}, {100, 4, 3}}, {{700, 2}}, vocabulary);
    EXPECT_EQ(set->documents(), 3u);
    EXPECT_EQ(set->documents(Part::kTraining), 2u);
    EXPECT_EQ(set->documents(Part::kValidation), 1u);
    EXPECT_EQ(set->first_document(Part::kValidation), 2u);
    EXPECT_EQ(set->tokens(), 9u);
    EXPECT_EQ(set->tokens(Part::kTraining), 7u);
    EXPECT_EQ(set->trained(Part::kTraining), 3u);
    EXPECT_EQ(set->trained(Part::kValidation), 1u);
    EXPECT_EQ(set->vocabulary_size(), vocabulary);
    std::vector<TokenId> ids;
    std::vector<bool> trained;
    for (uint64_t at = 0; at < set->tokens(); ++at) {
      ids.push_back(set->Token(at));
      trained.push_back(set->IsTrained(at));
    }
    EXPECT_EQ(ids, (std::vector<TokenId>{5, 6, 7, 100, 101, 102, 103, 700, 701}));
    EXPECT_EQ(trained, (std::vector<bool>{false, true, true, false, false, false, true, false, true}));
    EXPECT_EQ(set->begin(1), 3u);
    EXPECT_EQ(set->size(1), 4u);
  }
}

TEST(TokenSetTest, IdsTakeTwoBytesWhereTheyCan) {
  const std::vector<testing::SmallDocument> documents = {{1, 800}};
  EXPECT_EQ(SmallTokenSet(documents, {}, 65537)->bytes().size() - SmallTokenSet(documents, {}, 65536)->bytes().size(),
            1600u);
}

TEST(TokenSetTest, LargestIdOfEitherWidthSurvives) {
  EXPECT_EQ(SmallTokenSet({{65534, 2}}, {}, 65536)->Token(1), 65535);
  EXPECT_EQ(SmallTokenSet({{99'998, 2}}, {}, 100'000)->Token(1), 99'999);
}

TEST(TokenSetTest, SameContentSameBytes) {
  const auto set = SmallTokenSet({{5, 3}, {9, 40}}, {{7, 2}});
  EXPECT_EQ(BytesOf(*set), BytesOf(*SmallTokenSet({{5, 3}, {9, 40}}, {{7, 2}})));
  EXPECT_NE(set->hash(), SmallTokenSet({{5, 3}, {9, 40}, {7, 2}})->hash());
}

TEST(TokenSetTest, FileIsReadBack) {
  const auto set = SmallTokenSet({{5, 3}, {9, 40}}, {{7, 2}});
  const std::string path = std::filesystem::temp_directory_path() / ("enigma_token_set_" + std::to_string(::getpid()));
  ASSERT_TRUE(WriteTokenSet(*set, path).ok());
  const auto read = TokenSet::Open(path);
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(BytesOf(**read), BytesOf(*set));
  EXPECT_EQ((*read)->hash(), set->hash());
  EXPECT_FALSE(std::filesystem::exists(path + ".partial"));

  std::ofstream(path, std::ios::trunc) << "hello";
  EXPECT_THAT(TokenSet::Open(path).status().message(), HasSubstr(path + ": is no token set"));
  std::ofstream(path, std::ios::trunc).close();
  EXPECT_EQ(TokenSet::Open(path).status().code(), absl::StatusCode::kInvalidArgument);
  std::filesystem::remove(path);
  EXPECT_EQ(TokenSet::Open(path).status().code(), absl::StatusCode::kNotFound);
  EXPECT_FALSE(WriteTokenSet(*set, "/no such folder/set").ok());
}

TEST(TokenSetTest, EveryChangedByteIsNoticed) {
  const std::vector<uint8_t> good = BytesOf(*SmallTokenSet({{5, 3}, {9, 21}}, {{7, 2}}));
  ASSERT_EQ(TokenSetError(good), "");
  for (size_t at = 0; at < good.size(); ++at) {
    std::vector<uint8_t> bytes = good;
    bytes[at] ^= 1;
    EXPECT_NE(TokenSetError(std::move(bytes)), "") << at;
  }
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_NE(TokenSetError({good.begin(), good.begin() + static_cast<std::ptrdiff_t>(size)}), "") << size;
  }
  std::vector<uint8_t> rotten = good;
  rotten.back() ^= 0x80;
  EXPECT_TRUE(absl::IsDataLoss(TokenSet::FromBytes(std::move(rotten), "rotten").status()));
  std::vector<uint8_t> longer = good;
  longer.push_back(0);
  EXPECT_THAT(TokenSetError(std::move(longer)), HasSubstr("where its header promises"));
}

TEST(TokenSetTest, LiesWithARightHashAreFound) {
  // Documents [0, 3), [3, 24), [24, 26); 26 tokens of 2 bytes.
  const std::vector<uint8_t> good = BytesOf(*SmallTokenSet({{5, 3}, {9, 21}}, {{7, 2}}));
  const layout::Sections sections = layout::Place(3, 26, 2);
  ASSERT_EQ(sections.end, good.size());
  struct Lie {
    const char* error;
    std::function<void(std::vector<uint8_t>&)> tell;
  };
  const size_t offsets = layout::kHeaderBytes;
  const std::vector<Lie> lies = {
      {"version 2", [](auto& b) { Put(b, layout::kVersionAt, uint32_t{2}); }},
      {"header is damaged", [](auto& b) { Put(b, layout::kIdBytesAt, uint32_t{4}); }},
      {"header is damaged", [](auto& b) { Put(b, layout::kReservedAt, uint32_t{1}); }},
      {"promises more", [](auto& b) { Put(b, layout::kTrainingAt, ~uint64_t{0}); }},
      {"promises more", [](auto& b) { Put(b, layout::kValidationAt, uint64_t{1} << 61); }},
      {"promises more", [](auto& b) { Put(b, layout::kTokensAt, uint64_t{1} << 63); }},
      {"header promises", [](auto& b) { Put(b, layout::kTokensAt, uint64_t{90}); }},
      {"none of its vocabulary", [](auto& b) { Put(b, layout::kVocabularyAt, uint32_t{20}); }},
      {"none of its vocabulary", [&](auto& b) { Put(b, sections.ids_at + 8, uint16_t{10'000}); }},
      {"not all of its tokens", [&](auto& b) { Put(b, offsets, uint64_t{1}); }},
      {"not all of its tokens", [&](auto& b) { Put(b, offsets + 24, uint64_t{25}); }},
      {"document 0 has no place", [&](auto& b) { Put(b, offsets + 8, uint64_t{0}); }},
      {"document 0 has no place", [&](auto& b) { Put(b, offsets + 8, ~uint64_t{0}); }},
      {"document 1 has no place", [&](auto& b) { Put(b, offsets + 16, uint64_t{2}); }},
      {"begins with a token to predict", [&](auto& b) { b[sections.mask_at] |= 1; }},
      {"between its parts", [&](auto& b) { b[sections.mask_at - 1] = 1; }},
      {"between its parts", [&](auto& b) { b[sections.end - 1] = 1; }},
      {"between its parts", [&](auto& b) { b[sections.mask_at + 3] |= 0x80; }},
  };
  for (const Lie& lie : lies) {
    std::vector<uint8_t> bytes = good;
    lie.tell(bytes);
    Sign(bytes);
    EXPECT_THAT(TokenSetError(std::move(bytes)), HasSubstr(lie.error));
  }
}

TEST(TokenSetTest, BuilderRefusesWhatCannotBe) {
  TokenSetBuilder builder = SmallBuilder(10);
  const std::vector<uint8_t> flags = {1, 1};
  EXPECT_FALSE(builder.Add(Part::kTraining, {}, {}).ok());
  EXPECT_FALSE(builder.Add(Part::kTraining, std::vector<TokenId>{1}, flags).ok());
  EXPECT_FALSE(builder.Add(Part::kTraining, std::vector<TokenId>{1, 10}, flags).ok());
  EXPECT_FALSE(builder.Add(Part::kTraining, std::vector<TokenId>{1, -1}, flags).ok());
  EXPECT_TRUE(builder.Add(Part::kTraining, std::vector<TokenId>{1, 9}, flags).ok());
  const auto set = builder.Finish();
  ASSERT_TRUE(set.ok());
  EXPECT_EQ((*set)->trained(Part::kTraining), 1u) << "the first of a document is never predicted";
  EXPECT_EQ(builder.Finish().value()->documents(), 0u);
}

}  // namespace
}  // namespace enigma::engine
