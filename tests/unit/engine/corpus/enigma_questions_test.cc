// The training set data/enigma/questions.txt keeps the rules of its README.
#include <memory>
#include <string>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/strings/ascii.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/corpus/document_reader.h"
#include "tests/support/test_data.h"
#include "tests/unit/engine/text/small_vocabularies.h"

namespace enigma::engine {
namespace {

using ::testing::SizeIs;

constexpr size_t kPairsMin = 600;
constexpr size_t kAnswerCharactersMax = 160;
constexpr size_t kWordingsMin = 3;

// Letters and digits in lower case, one space for everything between them.
std::string Plain(const std::string& text) {
  std::string plain;
  for (const char c : text) {
    if (absl::ascii_isalnum(static_cast<unsigned char>(c))) {
      plain += absl::ascii_tolower(static_cast<unsigned char>(c));
    } else if (!plain.empty() && plain.back() != ' ') {
      plain += ' ';
    }
  }
  return plain;
}

TEST(EnigmaQuestions, KeepTheirRules) {
  const auto tokenizer = Tokenizer::FromGguf(testing::BytePairVocabulary("gpt-2")).value();
  const std::string bytes = enigma::testing::ReadFileOrDie(ENIGMA_SOURCE_DIR "/data/enigma/questions.txt");
  std::vector<Document> pairs;
  const auto counts = ReadDocuments({"questions.txt", bytes}, 0, {}, *tokenizer, nullptr, pairs);
  ASSERT_TRUE(counts.ok()) << counts.status();
  EXPECT_EQ(counts->format, CorpusFormat::kQuestions);
  EXPECT_GE(pairs.size(), kPairsMin);
  EXPECT_EQ(counts->lines, 2 * pairs.size()) << "a question or an answer has more than one line";

  absl::flat_hash_map<std::string, uint64_t> line_of_question;
  absl::flat_hash_map<std::string, size_t> wordings;
  for (const Document& pair : pairs) {
    SCOPED_TRACE(::testing::Message() << "questions.txt:" << pair.line);
    ASSERT_THAT(pair.segments, SizeIs(2));
    for (const char c : pair.Text()) ASSERT_TRUE(c == '\n' || absl::ascii_isprint(static_cast<unsigned char>(c)));
    const auto [other, is_new] = line_of_question.try_emplace(Plain(pair.segments[0].text), pair.line);
    EXPECT_TRUE(is_new) << "asked before, in line " << other->second;
    const std::string& answer = pair.segments[1].text;
    EXPECT_LE(answer.size(), kAnswerCharactersMax + 1);  // and the space before it
    ++wordings[answer];
  }
  for (const auto& [answer, count] : wordings) EXPECT_GE(count, kWordingsMin) << answer;
}

}  // namespace
}  // namespace enigma::engine
