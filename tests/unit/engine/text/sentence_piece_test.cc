#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/text/tokenizer.h"
#include "tests/unit/engine/text/small_vocabularies.h"

namespace enigma::engine {
namespace {

using namespace testing;  // NOLINT: the ids of the vocabulary
using ::testing::ElementsAre;

class SentencePieceTest : public ::testing::Test {
 protected:
  void Make(const GgufMetadata& metadata) {
    auto made = Tokenizer::FromGguf(metadata);
    ASSERT_TRUE(made.ok()) << made.status();
    tokenizer_ = *std::move(made);
  }
  void SetUp() override { Make(SentencePieceVocabulary()); }

  std::vector<TokenId> Encode(std::string_view text, TokenizeOptions options = {}) const {
    return tokenizer_->Encode(text, options);
  }

  std::unique_ptr<Tokenizer> tokenizer_;
};

TEST_F(SentencePieceTest, MergesByScore) {
  EXPECT_THAT(Encode("hello"), ElementsAre(kSpSpaceHello)) << "▁he, llo, then both";
  EXPECT_THAT(Encode("hell"), ElementsAre(kSpSpaceHe, kSpLl));
  EXPECT_THAT(Encode("he lo"), ElementsAre(kSpSpaceHe, kSpSpace, kSpL, kSpO));
}

TEST_F(SentencePieceTest, PutsASpaceFirstAndTakesItAwayAgain) {
  EXPECT_THAT(Encode("h"), ElementsAre(kSpSpace, kSpH));
  EXPECT_THAT(Encode(" h"), ElementsAre(kSpTwoSpaces, kSpH));
  EXPECT_TRUE(tokenizer_->StripsLeadingSpace());
  EXPECT_EQ(Decode(*tokenizer_, Encode("h")), "h");
  EXPECT_EQ(Decode(*tokenizer_, Encode(" h")), " h");
  EXPECT_EQ(Decode(*tokenizer_, Encode("h", {.add_special = true})), "h");

  GgufMetadata metadata = SentencePieceVocabulary();
  metadata.Set("tokenizer.ggml.add_space_prefix", false);
  Make(metadata);
  EXPECT_THAT(Encode("h"), ElementsAre(kSpH));
  EXPECT_FALSE(tokenizer_->StripsLeadingSpace());
  EXPECT_EQ(Decode(*tokenizer_, Encode(" h")), " h");
}

TEST_F(SentencePieceTest, FallsBackToBytes) {
  EXPECT_THAT(Encode("é"), ElementsAre(kSpSpace, kSpByte0 + 0xC3, kSpByte0 + 0xA9));
  EXPECT_THAT(Encode("h\xFF\xE2\x82"), ElementsAre(kSpSpace, kSpH, kSpByte0 + 0xFF, kSpByte0 + 0xE2, kSpByte0 + 0x82));
  EXPECT_THAT(Encode("\n"), ElementsAre(kSpSpace, kSpByte0 + '\n'));
}

TEST_F(SentencePieceTest, ControlTokensAreMadeOfTextOnlyWhenAsked) {
  EXPECT_THAT(Encode("<s>h"), ElementsAre(kSpSpace, kSpByte0 + '<', kSpByte0 + 's', kSpByte0 + '>', kSpH));
  EXPECT_THAT(Encode("<s>h</s>", {.parse_special = true}), ElementsAre(1, kSpSpace, kSpH, 2));
  // A byte token's name is text like any other.
  EXPECT_EQ(Encode("<0x41>").size(), 7u);
}

TEST_F(SentencePieceTest, UserDefinedTokensAreAlwaysFound) {
  EXPECT_THAT(Encode("h<user>h"), ElementsAre(kSpSpace, kSpH, kSpUserDefined, kSpSpace, kSpH));
}

TEST_F(SentencePieceTest, AddsBosAndEosAsTheFileSays) {
  EXPECT_THAT(Encode("", {.add_special = true}), ElementsAre(1));
  EXPECT_THAT(Encode(""), ElementsAre());
  GgufMetadata metadata = SentencePieceVocabulary();
  metadata.Set("tokenizer.ggml.add_bos_token", false);
  metadata.Set("tokenizer.ggml.add_eos_token", true);
  Make(metadata);
  EXPECT_THAT(Encode("h", {.add_special = true}), ElementsAre(kSpSpace, kSpH, 2));
}

TEST_F(SentencePieceTest, KnowsItsSpecialTokens) {
  EXPECT_EQ(tokenizer_->vocab_size(), static_cast<uint32_t>(kSpTokens));
  EXPECT_EQ(tokenizer_->bos(), 1);
  EXPECT_EQ(tokenizer_->eos(), 2);
  EXPECT_TRUE(tokenizer_->IsControl(1));
  EXPECT_FALSE(tokenizer_->IsControl(kSpUserDefined));
  EXPECT_TRUE(tokenizer_->IsEndOfGeneration(2));
  EXPECT_TRUE(tokenizer_->IsEndOfGeneration(kSpEndOfTurn));
  EXPECT_FALSE(tokenizer_->IsEndOfGeneration(1));
  EXPECT_EQ(tokenizer_->TokenBytes(1, false), "");
  EXPECT_EQ(tokenizer_->TokenBytes(1, true), "<s>");
  EXPECT_EQ(tokenizer_->TokenBytes(kSpSpaceHello, false), " hello");
  for (const TokenId id : {-1, static_cast<int>(kSpTokens)}) {
    EXPECT_EQ(tokenizer_->TokenBytes(id, true), "");
    EXPECT_FALSE(tokenizer_->IsControl(id));
    EXPECT_FALSE(tokenizer_->IsEndOfGeneration(id));
  }
}

TEST_F(SentencePieceTest, RepeatedWordsGiveTheSameTokens) {
  const std::vector<TokenId> once = Encode("x hello h");
  EXPECT_EQ(Decode(*tokenizer_, Encode("hello hello hello  hello ")), "hello hello hello  hello ");
  EXPECT_EQ(Encode("x hello h"), once);
}

// A token with a space inside joins words, so that the text may not be cut at spaces.
TEST_F(SentencePieceTest, TokensMayReachOverWords) {
  GgufMetadata metadata;
  metadata.Set("tokenizer.ggml.model", std::string("llama"));
  metadata.Set("tokenizer.ggml.tokens", Strings({"<unk>", "<s>", "</s>", "▁", "a", "b", "▁a", "a▁", "a▁b"}));
  metadata.Set("tokenizer.ggml.scores", Floats({0, 0, 0, -9, -9, -9, -3, -2, -1}));
  metadata.Set("tokenizer.ggml.token_type", Integers({2, 3, 3, 1, 1, 1, 1, 1, 1}));
  Make(metadata);
  EXPECT_THAT(Encode("a b"), ElementsAre(3, 8));
  EXPECT_THAT(Encode("é"), ElementsAre(3, 0)) << "without byte tokens a character becomes the unknown token";
}

}  // namespace
}  // namespace enigma::engine
