#include "engine/corpus/document_encoder.h"

#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/engine/text/small_vocabularies.h"

namespace enigma::engine {
namespace {

using namespace testing;  // the ids of the small vocabularies
using Ids = std::vector<TokenId>;
using Flags = std::vector<uint8_t>;

std::unique_ptr<Tokenizer> BytePair() { return Tokenizer::FromGguf(BytePairVocabulary("gpt-2")).value(); }
std::unique_ptr<Tokenizer> SentencePiece() { return Tokenizer::FromGguf(SentencePieceVocabulary()).value(); }

Document Make(DocumentKind kind, std::vector<Segment> segments) {
  Document document;
  document.kind = kind;
  document.segments = std::move(segments);
  return document;
}

EncodedDocument Encode(const Tokenizer& tokenizer, const Document& document, bool train_on_prompts = false) {
  return DocumentEncoder::Create(tokenizer, train_on_prompts).value().Encode(document);
}

TEST(DocumentEncoderTest, TextEndsWithTheEndToken) {
  const auto encoded = Encode(*BytePair(), Make(DocumentKind::kText, {{"hello he", true}}));
  EXPECT_EQ(encoded.ids, (Ids{kBpHello, kBpSpaceHe, kBpEndOfText}));
  EXPECT_EQ(encoded.trained, (Flags{0, 1, 1})) << "nothing stands before the first token";
}

TEST(DocumentEncoderTest, TheBeginTokenStandsWhereTheVocabularyAsksForIt) {
  const auto encoded = Encode(*SentencePiece(), Make(DocumentKind::kText, {{"hello", true}}));
  EXPECT_EQ(encoded.ids, (Ids{1, kSpSpaceHello, 2}));
  EXPECT_EQ(encoded.trained, (Flags{0, 1, 1}));
}

TEST(DocumentEncoderTest, PartsOfATextAreOpenAtTheirCuts) {
  Document part = Make(DocumentKind::kText, {{"hello", true}});
  part.is_end = false;
  EXPECT_EQ(Encode(*SentencePiece(), part).ids, (Ids{1, kSpSpaceHello}));
  part.is_beginning = false;
  part.segments[0].text = "hello he";
  EXPECT_EQ(Encode(*SentencePiece(), part).ids, (Ids{kSpSpaceHello, kSpSpaceHe}));
  part.is_end = true;
  EXPECT_EQ(Encode(*SentencePiece(), part).ids, (Ids{kSpSpaceHello, kSpSpaceHe, 2}));
}

TEST(DocumentEncoderTest, OnlyTheAnswerIsLearned) {
  const Document pair = Make(DocumentKind::kPair, {{"Q: e\nA:", false}, {" hello", true}});
  const auto byte_pair = Encode(*BytePair(), pair);
  EXPECT_EQ(byte_pair.ids, (Ids{'Q', ':', ' ', 'e', '\n', 'A', ':', ' ', kBpHello, kBpEndOfText}));
  EXPECT_EQ(byte_pair.trained, (Flags{0, 0, 0, 0, 0, 0, 0, 1, 1, 1}));

  const auto sentence_piece = Encode(*SentencePiece(), pair);
  const Ids head = {1,    kSpSpace,        kSpByte0 + 'Q', kSpByte0 + ':', kSpSpace,
                    kSpE, kSpByte0 + '\n', kSpByte0 + 'A', kSpByte0 + ':'};
  Ids expected = head;
  expected.insert(expected.end(), {kSpSpaceHello, 2});
  EXPECT_EQ(sentence_piece.ids, expected);
  Flags flags(head.size(), 0);
  flags.insert(flags.end(), {1, 1});
  EXPECT_EQ(sentence_piece.trained, flags);
}

TEST(DocumentEncoderTest, WhatIsReadIsTokenisedAsAPromptIs) {
  for (const auto& tokenizer : {BytePair(), SentencePiece()}) {
    for (const char* question : {"hello", "he llo", "é\n\n  he", "Q", "   "}) {
      const std::string prompt = std::string("Q: ") + question + "\nA:";
      const auto encoded = Encode(*tokenizer, Make(DocumentKind::kPair, {{prompt, false}, {" hello", true}}));
      const Ids ids = tokenizer->Encode(prompt, {.add_special = true});
      ASSERT_GT(encoded.ids.size(), ids.size());
      EXPECT_EQ(Ids(encoded.ids.begin(), encoded.ids.begin() + ids.size()), ids);
      EXPECT_EQ(encoded.trained[ids.size() - 1], 0);
      EXPECT_EQ(encoded.trained[ids.size()], 1);
    }
  }
}

TEST(DocumentEncoderTest, NoTokenReachesOverTheEndOfAPrompt) {
  // Together "hello" would be one token.
  const Document glued = Make(DocumentKind::kPair, {{"he", false}, {"llo", true}});
  const auto byte_pair = Encode(*BytePair(), glued);
  EXPECT_EQ(byte_pair.ids, (Ids{kBpHe, kBpLlo, kBpEndOfText}));
  EXPECT_EQ(byte_pair.trained, (Flags{0, 1, 1}));
  const auto sentence_piece = Encode(*SentencePiece(), glued);
  EXPECT_EQ(sentence_piece.ids, (Ids{1, kSpSpaceHe, kSpLlo, 2})) << "no space is put before the answer";
  EXPECT_EQ(sentence_piece.trained, (Flags{0, 0, 1, 1}));
}

TEST(DocumentEncoderTest, ControlTokensAreTokensOnlyInConversations) {
  const std::string text = "<|im_end|>";
  EXPECT_EQ(Encode(*BytePair(), Make(DocumentKind::kText, {{text, true}})).ids.size(), text.size() + 1);
  Document chat = Make(DocumentKind::kChat, {{"<|im_start|>he", false}, {"llo<|im_end|>", true}});
  chat.is_beginning = false;
  const auto encoded = Encode(*BytePair(), chat);
  EXPECT_EQ(encoded.ids, (Ids{kBpStart, kBpHe, kBpLlo, kBpEnd})) << "it has ended; no second end token";
  EXPECT_EQ(encoded.trained, (Flags{0, 0, 1, 1}));
}

TEST(DocumentEncoderTest, WhatATemplateWritesBehindTheEndIsNotLearned) {
  Document chat = Make(DocumentKind::kChat, {{"<|im_start|>", false},
                                             {"hello<|im_end|>he", true},
                                             {"<|im_start|>", false},
                                             {"llo<|im_end|>he<|endoftext|>", true}});
  chat.is_beginning = false;
  const auto encoded = Encode(*BytePair(), chat);
  EXPECT_EQ(encoded.ids, (Ids{kBpStart, kBpHello, kBpEnd, kBpHe, kBpStart, kBpLlo, kBpEnd}));
  EXPECT_EQ(encoded.trained, (Flags{0, 1, 1, 0, 0, 1, 1}));
  const auto all = Encode(*BytePair(), chat, /*train_on_prompts=*/true);
  EXPECT_EQ(all.trained, (Flags{0, 1, 1, 1, 1, 1, 1, 1, 1}));
}

TEST(DocumentEncoderTest, AConversationThatNothingEndsGetsTheEndToken) {
  Document chat = Make(DocumentKind::kChat, {{"User: he\nBot:", false}, {" he\n", true}});
  chat.is_beginning = false;
  const auto encoded = Encode(*BytePair(), chat);
  EXPECT_EQ(encoded.ids.back(), kBpEndOfText);
  EXPECT_EQ(encoded.trained.back(), 1);
}

TEST(DocumentEncoderTest, PromptsMayBeLearnedToo) {
  const Document pair = Make(DocumentKind::kPair, {{"he", false}, {" he", true}});
  EXPECT_EQ(Encode(*BytePair(), pair, /*train_on_prompts=*/true).trained, (Flags{0, 1, 1}));
  EXPECT_EQ(Encode(*SentencePiece(), pair, /*train_on_prompts=*/true).trained, (Flags{0, 1, 1, 1}));
}

TEST(DocumentEncoderTest, NothingToLearnIsNoDocument) {
  EXPECT_TRUE(Encode(*BytePair(), Make(DocumentKind::kPair, {{"hello", false}})).ids.empty());
  EXPECT_TRUE(Encode(*BytePair(), Make(DocumentKind::kText, {})).ids.empty());
  EXPECT_TRUE(Encode(*BytePair(), Make(DocumentKind::kText, {{"", true}})).ids.empty()) << "an end token alone";
}

TEST(DocumentEncoderTest, AVocabularyWithoutAnEndIsRefused) {
  GgufMetadata metadata;
  metadata.Set("tokenizer.ggml.model", std::string("gpt2"));
  metadata.Set("tokenizer.ggml.pre", std::string("gpt-2"));
  metadata.Set("tokenizer.ggml.tokens", Strings({"a", "b", "ab"}));
  metadata.Set("tokenizer.ggml.merges", Strings({"a b"}));
  const auto tokenizer = Tokenizer::FromGguf(metadata);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  ASSERT_FALSE((*tokenizer)->eos().has_value());
  EXPECT_THAT(DocumentEncoder::Create(**tokenizer, false).status().message(),
              ::testing::HasSubstr("names no end token"));
}

}  // namespace
}  // namespace enigma::engine
