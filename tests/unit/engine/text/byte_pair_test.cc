#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/text/tokenizer.h"
#include "tests/unit/engine/text/small_vocabularies.h"

namespace enigma::engine {
namespace {

using namespace testing;  // NOLINT: the ids of the vocabulary
using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::unique_ptr<Tokenizer> Make(const GgufMetadata& metadata) {
  auto made = Tokenizer::FromGguf(metadata);
  EXPECT_TRUE(made.ok()) << made.status();
  return made.ok() ? *std::move(made) : nullptr;
}

TEST(BytePair, MergesByRankWithinPieces) {
  const auto tokenizer = Make(BytePairVocabulary("gpt-2"));
  EXPECT_THAT(tokenizer->Encode("hello", {}), ElementsAre(kBpHello));
  EXPECT_THAT(tokenizer->Encode("hell", {}), ElementsAre(kBpHe, kBpLl));
  EXPECT_THAT(tokenizer->Encode("he he", {}), ElementsAre(kBpHe, kBpSpaceHe));
  EXPECT_THAT(tokenizer->Encode("h2e", {}), ElementsAre('h', '2', 'e'));
  EXPECT_EQ(tokenizer->pre_tokenizer_limit_hits(), 0u);
}

TEST(BytePair, EveryByteHasAToken) {
  const auto tokenizer = Make(BytePairVocabulary("gpt-2"));
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes.push_back(static_cast<char>(byte));
  const std::vector<TokenId> ids = tokenizer->Encode(bytes, {});
  std::string back;
  for (const TokenId id : ids) back += tokenizer->TokenBytes(id, false);
  EXPECT_EQ(back, bytes);
}

TEST(BytePair, WholePiecesWinOnlyWhereTheFamilySaysSo) {
  EXPECT_THAT(Make(BytePairVocabulary("gpt-2"))->Encode("word", {}), ElementsAre('w', 'o', 'r', 'd'));
  EXPECT_THAT(Make(BytePairVocabulary("llama-bpe"))->Encode("word", {}), ElementsAre(kBpWord));
}

TEST(BytePair, SpecialTokensAreMadeOfTextOnlyWhenAsked) {
  const auto tokenizer = Make(BytePairVocabulary("qwen2"));
  const std::string text = "<|im_start|>he<|im_end|>";
  EXPECT_THAT(tokenizer->Encode(text, {.parse_special = true}), ElementsAre(kBpStart, kBpHe, kBpEnd));
  const std::vector<TokenId> plain = tokenizer->Encode(text, {});
  EXPECT_GT(plain.size(), 10u);
  EXPECT_EQ(Decode(*tokenizer, plain), text);
  EXPECT_EQ(Decode(*tokenizer, {kBpStart, kBpHe, kBpEnd}), "he");
  EXPECT_EQ(Decode(*tokenizer, {kBpStart, kBpHe, kBpEnd}, /*render_special=*/true), text);
}

TEST(BytePair, UserDefinedTokensAreAlwaysFound) {
  const auto tokenizer = Make(BytePairVocabulary("gpt-2"));
  EXPECT_THAT(tokenizer->Encode("he    he", {}), ElementsAre(kBpHe, kBpThreeSpaces, kBpSpaceHe));
  EXPECT_EQ(Decode(*tokenizer, {kBpHe, kBpThreeSpaces, kBpSpaceHe}), "he    he");
}

TEST(BytePair, AddsBosByFamilyUnlessTheFileSaysOtherwise) {
  EXPECT_THAT(Make(BytePairVocabulary("gpt-2"))->Encode("he", {.add_special = true}), ElementsAre(kBpHe));
  EXPECT_THAT(Make(BytePairVocabulary("llama-bpe"))->Encode("he", {.add_special = true}),
              ElementsAre(kBpEndOfText, kBpHe));
  GgufMetadata metadata = BytePairVocabulary("llama-bpe");
  metadata.Set("tokenizer.ggml.add_bos_token", false);
  metadata.Set("tokenizer.ggml.add_eos_token", true);
  EXPECT_THAT(Make(metadata)->Encode("he", {.add_special = true}), ElementsAre(kBpHe, kBpEndOfText));
}

TEST(BytePair, KnowsWhatEndsGeneration) {
  GgufMetadata metadata = BytePairVocabulary("qwen2");
  metadata.Set("tokenizer.ggml.eot_token_id", uint64_t{kBpStart});
  const auto tokenizer = Make(metadata);
  EXPECT_TRUE(tokenizer->IsEndOfGeneration(kBpEndOfText));
  EXPECT_TRUE(tokenizer->IsEndOfGeneration(kBpEnd));
  EXPECT_TRUE(tokenizer->IsEndOfGeneration(kBpStart)) << "named by tokenizer.ggml.eot_token_id";
  EXPECT_FALSE(tokenizer->IsEndOfGeneration(kBpHe));
  EXPECT_FALSE(tokenizer->StripsLeadingSpace());
}

TEST(BytePair, BytesWithoutATokenBecomeTheUnknownTokenOrNothing) {
  GgufMetadata metadata;
  metadata.Set("tokenizer.ggml.model", std::string("gpt2"));
  metadata.Set("tokenizer.ggml.pre", std::string("gpt-2"));
  metadata.Set("tokenizer.ggml.tokens", Strings({"a", "<unk>"}));
  metadata.Set("tokenizer.ggml.merges", Strings({}));
  EXPECT_THAT(Make(metadata)->Encode("aza", {}), ElementsAre(0, 0));
  metadata.Set("tokenizer.ggml.unknown_token_id", uint64_t{1});
  EXPECT_THAT(Make(metadata)->Encode("aza", {}), ElementsAre(0, 1, 0));
  // With the bytes of U+FFFD there, those stand for the missing one.
  metadata.Set("tokenizer.ggml.tokens", Strings({"a", "<unk>", "ï", "¿", "½"}));
  EXPECT_THAT(Make(metadata)->Encode("aza", {}), ElementsAre(0, 2, 3, 4, 0));
}

TEST(Tiktoken, MergesWhateverHasARank) {
  // "a" "b" "c" "bc" "ab" "abc": "bc" goes before "ab", and the whole is a token.
  const auto made = Tokenizer::FromTiktoken("YQ== 0\nYg== 1\nYw== 2\nYmM= 3\nYWI= 4\r\nYWJj 5\n", "cl100k",
                                            {"<|begin_of_text|>", "<|end_of_text|>"});
  ASSERT_TRUE(made.ok()) << made.status();
  const Tokenizer& tokenizer = **made;
  EXPECT_THAT(tokenizer.Encode("abcbcab", {}), ElementsAre(5, 3, 4));
  EXPECT_EQ(tokenizer.vocab_size(), 8u);
  EXPECT_EQ(tokenizer.bos(), 6);
  EXPECT_EQ(tokenizer.eos(), 7);
  EXPECT_TRUE(tokenizer.IsControl(7));
  EXPECT_TRUE(tokenizer.IsEndOfGeneration(7));
  EXPECT_THAT(tokenizer.Encode("a<|end_of_text|>", {.parse_special = true}), ElementsAre(0, 7));
}

TEST(Tiktoken, ErrorsNameTheLine) {
  const struct {
    const char* ranks;
    const char* named;
  } cases[] = {
      {"", "no tokens"},
      {"\n\n", "no tokens"},
      {"YQ== 0\nYg==", "line 2"},
      {"YQ== 0\n\n!!! 1", "line 3"},
      {"YQ== zero", "line 1"},
      {"YQ== 1 2", "line 1"},
      {"YQ== -1", "line 1"},
      {" 1", "line 1"},
      {"YQ== 0\nYg== 0", "rank 0"},
      {"YQ== 4000000", "4000000"},
      {"YQ== 99999999999999999999", "line 1"},
      {"YQ== 0\nYQ== 1", "element 0"},
  };
  for (const auto& c : cases) {
    const auto made = Tokenizer::FromTiktoken(c.ranks, "cl100k", {});
    ASSERT_FALSE(made.ok()) << c.ranks;
    EXPECT_THAT(std::string(made.status().message()), HasSubstr(c.named)) << c.ranks;
  }
  EXPECT_THAT(std::string(Tokenizer::FromTiktoken("YQ== 0", "nonsense", {}).status().message()), HasSubstr("nonsense"));
  EXPECT_FALSE(Tokenizer::FromTiktoken("YQ== 0", "cl100k", {"a"}).ok()) << "a special token that is a token already";
}

}  // namespace
}  // namespace enigma::engine
