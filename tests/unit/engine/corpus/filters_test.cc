#include "engine/corpus/filters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/corpus/text_quality.h"

namespace enigma::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kProse[] =
    "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness, it "
    "was the epoch of belief, it was the epoch of incredulity, it was the season of Light, it was the season of "
    "Darkness, it was the spring of hope, it was the winter of despair.\nWe had everything before us, we had nothing "
    "before us, we were all going direct to Heaven, we were all going direct the other way.\n";
constexpr char kCode[] =
    "#include <vector>\n\ntemplate <typename T>\nT Sum(const std::vector<T>& values) {\n  T sum = 0;\n"
    "  for (const T& value : values) {\n    if (value > 0) {\n      sum += value;\n    }\n  }\n  return sum;\n}\n\n"
    "int main() {\n  std::vector<int> values;\n  for (int i = 0; i < 10; ++i) {\n    values.push_back(i * i);\n  }\n"
    "  return Sum(values);\n}\n";

Document Text(std::string text, uint64_t line = 1) {
  Document document;
  document.segments.push_back({std::move(text), true});
  document.line = line;
  return document;
}

Document Pair(std::string prompt, std::string answer, uint64_t line = 1) {
  Document document;
  document.kind = DocumentKind::kPair;
  document.segments = {{std::move(prompt), false}, {std::move(answer), true}};
  document.line = line;
  return document;
}

std::string Repeated(std::string_view text, int times) {
  std::string repeated;
  for (int i = 0; i < times; ++i) repeated += text;
  return repeated;
}

struct Filtered {
  std::vector<uint64_t> kept;  // lines
  DropCounts dropped;
};

Filtered Filter(std::vector<Document> documents, const FilterOptions& options = {}) {
  const std::vector<CorpusFile> files = {{"a.txt", ""}};
  Filtered filtered;
  EXPECT_TRUE(FilterDocuments(files, options, nullptr, documents, filtered.dropped).ok());
  for (const Document& document : documents) filtered.kept.push_back(document.line);
  return filtered;
}

TEST(FiltersTest, QualityTellsTextFromNoText) {
  const FilterOptions options;
  struct Case {
    const char* name;
    std::string text;
    std::optional<DropReason> reason;
  };
  const std::vector<Case> cases = {
      {"prose", kProse, std::nullopt},
      {"code", kCode, std::nullopt},
      {"Japanese", Repeated("吾輩は猫である。名前はまだ無い。どこで生れたかとんと見当がつかぬ。", 10), std::nullopt},
      {"sums", Repeated("1 + 2 = 3, ", 40), std::nullopt},
      {"rules", Repeated("+-----+-----+\n|  a  |     |\n", 30), DropReason::kFewLetters},
      {"base64", Repeated("aGVsbG8gd29ybGQhIHRoaXMgaXMgYSB0ZXN0IG9mIGJhc2U2NCBsaW5lcy4uLi4u", 8),
       DropReason::kWordLength},
      {"log", Repeated("connection refused by the server\n", 30), DropReason::kRepeatedLines},
      {"short", Repeated("+-----+\n", 20), std::nullopt},
  };
  for (const Case& c : cases) EXPECT_EQ(JudgeQuality(c.text, options), c.reason) << c.name;
  EXPECT_EQ(CharactersIn("né!"), 3u);
}

TEST(FiltersTest, QualityIsNotAskedOfPairs) {
  const std::string rules = Repeated("+-----+-----+\n", 40);
  EXPECT_THAT(Filter({Pair(rules, rules)}).kept, ElementsAre(1));
  EXPECT_TRUE(Filter({Text(rules)}).kept.empty());
  EXPECT_THAT(Filter({Text(rules)}, {.quality = false}).kept, ElementsAre(1));
}

TEST(FiltersTest, Lengths) {
  const auto filtered = Filter({Text(" \n "), Text("éé", 2), Text("ééé", 3), Text(" ééééé ", 4), Text("éééééé", 5)},
                               {.characters_min = 3, .characters_max = 5});
  EXPECT_THAT(filtered.kept, ElementsAre(3, 4));
  EXPECT_EQ(filtered.dropped[DropReason::kTooShort].documents, 2u);
  EXPECT_EQ(filtered.dropped[DropReason::kTooLong].documents, 1u);
  EXPECT_THAT(filtered.dropped[DropReason::kTooShort].examples, ElementsAre("a.txt:1", "a.txt:2"));
  EXPECT_EQ(filtered.dropped.documents(), 3u);
}

TEST(FiltersTest, ExactDuplicatesAreTheSameButForWhiteSpace) {
  const auto filtered = Filter({Text("one two", 1), Text("one Two", 2), Text(" one\n\ttwo ", 3), Pair("one", " two", 4),
                                Text("onetwo", 5), Text("one two", 6), Text("one  two", 7)});
  EXPECT_THAT(filtered.kept, ElementsAre(1, 2, 5));
  EXPECT_EQ(filtered.dropped[DropReason::kExactDuplicate].documents, 4u);
  EXPECT_THAT(filtered.dropped[DropReason::kExactDuplicate].examples,
              ElementsAre("a.txt:3 (like a.txt:1)", "a.txt:4 (like a.txt:1)", "a.txt:6 (like a.txt:1)"));
  EXPECT_THAT(Filter({Text("a", 1), Text("a", 2)}, {.exact_duplicates = false}).kept, ElementsAre(1, 2));
}

TEST(FiltersTest, NearDuplicates) {
  const std::string prose = kProse;
  // One word of 91 less, and one that stands at the end: 5-grams at one edge only.
  const std::vector<Document> documents = {Text(prose, 1), Text(prose + " Amen.", 2), Text(kCode, 3)};
  const auto filtered = Filter(documents);
  EXPECT_THAT(filtered.kept, ElementsAre(1, 3));
  EXPECT_THAT(filtered.dropped[DropReason::kNearDuplicate].examples, ElementsAre("a.txt:2 (like a.txt:1)"));
  EXPECT_THAT(Filter(documents, {.near_duplicate_share = 0}).kept, ElementsAre(1, 2, 3));
  EXPECT_THAT(Filter({Pair(prose, " yes", 1), Pair(prose + " Amen.", " yes", 2)}).kept, ElementsAre(1, 2));
}

TEST(FiltersTest, OptionsThatCannotBe) {
  const auto error = [](const FilterOptions& options) { return std::string(CheckFilterOptions(options).message()); };
  EXPECT_EQ(error({}), "");
  EXPECT_THAT(error({.near_duplicate_share = 0.4}), HasSubstr("near_duplicate_share must be 0 or from 0.5 to 1"));
  EXPECT_THAT(error({.near_duplicate_share = std::nan("")}), HasSubstr("near_duplicate_share"));
  EXPECT_THAT(error({.alphanumeric_share_min = 1.5}), HasSubstr("alphanumeric_share_min"));
  EXPECT_THAT(error({.repeated_lines_share_max = -1}), HasSubstr("repeated_lines_share_max"));
  EXPECT_THAT(error({.word_length_min = 30}), HasSubstr("word_length_min"));
  EXPECT_THAT(error({.characters_min = 9, .characters_max = 3}), HasSubstr("is more than characters_max (3)"));
}

TEST(FiltersTest, Cancelling) {
  std::vector<Document> documents(1000, Text("a"));
  DropCounts dropped;
  const auto status = FilterDocuments(
      {{"a.txt", ""}}, {}, [](uint64_t at) { return at < 500; }, documents, dropped);
  EXPECT_TRUE(absl::IsCancelled(status)) << status;
}

}  // namespace
}  // namespace enigma::engine
