#include <gtest/gtest.h>

#include "engine/text/tokenizer.h"
#include "tests/unit/engine/text/small_vocabularies.h"

namespace enigma::engine {
namespace {

using namespace testing;  // NOLINT: the ids of the vocabulary

class DetokenizerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto bytes = Tokenizer::FromGguf(BytePairVocabulary("gpt-2"));
    auto words = Tokenizer::FromGguf(SentencePieceVocabulary());
    ASSERT_TRUE(bytes.ok() && words.ok());
    bytes_ = *std::move(bytes);
    words_ = *std::move(words);
  }

  // What every single byte of `text` makes visible, joined by '|'.
  std::string ByteByByte(std::string_view text) const {
    Detokenizer detokenizer(*bytes_, /*continuation=*/true);
    std::string shown;
    for (const char byte : text) shown += detokenizer.Add(static_cast<uint8_t>(byte)) + "|";
    return shown + detokenizer.Finish();
  }

  std::unique_ptr<Tokenizer> bytes_;  // ids 0..255 are the bytes
  std::unique_ptr<Tokenizer> words_;
};

TEST_F(DetokenizerTest, HoldsUnfinishedCharactersBack) {
  EXPECT_EQ(ByteByByte("aé"), "a||é|");
  EXPECT_EQ(ByteByByte("\xF0\x9F\x98\x80!"), "|||\xF0\x9F\x98\x80|!|");
}

TEST_F(DetokenizerTest, ReplacesWhatCannotBecomeACharacter) {
  EXPECT_EQ(ByteByByte("\xFF"), "\xEF\xBF\xBD|");
  EXPECT_EQ(ByteByByte("\xE2\x82z"), "||\xEF\xBF\xBDz|") << "one for the whole maximal subpart";
  EXPECT_EQ(ByteByByte("\xE2\x82"), "||\xEF\xBF\xBD") << "cut off at the end";
  EXPECT_EQ(ByteByByte("\xED\xA0\x80"), "|\xEF\xBF\xBD\xEF\xBF\xBD|\xEF\xBF\xBD|") << "a surrogate";
  EXPECT_EQ(ByteByByte("\xE2\xE2\x82\xAC"), "|\xEF\xBF\xBD||€|");
}

TEST_F(DetokenizerTest, DropsOneLeadingSpaceUnlessItContinuesAPrompt) {
  Detokenizer whole(*words_, /*continuation=*/false);
  EXPECT_EQ(whole.Add(1), "") << "BOS is no text";
  EXPECT_EQ(whole.Add(kSpSpaceHello), "hello");
  EXPECT_EQ(whole.Add(kSpSpaceHello), " hello");
  Detokenizer continued(*words_, /*continuation=*/true);
  EXPECT_EQ(continued.Add(kSpSpaceHello), " hello");
  EXPECT_EQ(Decode(*words_, {kSpTwoSpaces, kSpH}), " h");
}

TEST_F(DetokenizerTest, AgreesWithDecodeOnWhateverIds) {
  uint32_t state = 12345;
  std::vector<TokenId> ids;
  for (int i = 0; i < 5000; ++i) {
    state = state * 1664525 + 1013904223;
    ids.push_back(static_cast<TokenId>(state >> 16) % (kBpTokens + 2) - 1);  // -1 and one too many among them
  }
  Detokenizer detokenizer(*bytes_, /*continuation=*/false);
  std::string streamed;
  for (const TokenId id : ids) streamed += detokenizer.Add(id);
  streamed += detokenizer.Finish();
  EXPECT_EQ(streamed, Decode(*bytes_, ids));
  EXPECT_EQ(detokenizer.Finish(), "");
}

}  // namespace
}  // namespace enigma::engine
