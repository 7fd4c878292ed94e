// Texts to a tokenizer that Tokenizer::FromGguf makes from the metadata.
#include "engine/text/tokenizer_trainer.h"

#include <algorithm>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "engine/text/chat_template.h"

namespace enigma::engine {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::vector<std::string>& Texts() {
  static const auto* const texts = new std::vector<std::string>{
      "Once upon a time there was a cat. The cat sat on the mat, and the mat was red.<|endoftext|>The end of the cat.",
      "Naïve café: 你好，世界! 12345 and 6789.\n\n\tThe cat said: \"Don't!\" the other cat won't, the cat's mat.",
      "the the the cat cat cat <|im_start|>user\nthe cat<|im_end|>\n"};
  return *texts;
}

struct Trained {
  TokenizerFile file;
  GgufMetadata metadata;
  std::unique_ptr<Tokenizer> tokenizer;
  uint64_t tokens = 0;  // that the texts are
};

Trained TrainTokens(TokenizerTrainerOptions options, const std::vector<std::string>& texts = Texts()) {
  Trained made;
  auto trainer = TokenizerTrainer::Create(std::move(options));
  EXPECT_TRUE(trainer.ok()) << trainer.status();
  if (!trainer.ok()) return made;
  for (const std::string& text : texts) (*trainer)->Add(text);
  auto file = (*trainer)->Train();
  EXPECT_TRUE(file.ok()) << file.status();
  if (!file.ok()) return made;
  made.file = *std::move(file);
  auto metadata = VocabularyMetadata(made.file, "test");
  EXPECT_TRUE(metadata.ok()) << metadata.status();
  if (!metadata.ok()) return made;
  made.metadata = *std::move(metadata);
  auto tokenizer = Tokenizer::FromGguf(made.metadata);
  EXPECT_TRUE(tokenizer.ok()) << tokenizer.status();
  if (!tokenizer.ok()) return made;
  made.tokenizer = *std::move(tokenizer);
  made.tokens = (*trainer)->CountTokens(*made.tokenizer);
  return made;
}

std::string BytesOf(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
  std::string bytes;
  for (const TokenId id : ids) bytes += tokenizer.TokenBytes(id, /*render_special=*/true);
  return bytes;
}

class TrainedTokenizerTest : public ::testing::TestWithParam<TokenizerKind> {
 protected:
  static TokenizerTrainerOptions Options() {
    TokenizerTrainerOptions options;
    options.kind = GetParam();
    options.vocab_size = 340;
    options.special_tokens = SpecialTokens::Standard({"<|label|>"}, 3);
    return options;
  }
};

TEST_P(TrainedTokenizerTest, GivesBackEveryByte) {
  const Trained made = TrainTokens(Options());
  ASSERT_NE(made.tokenizer, nullptr);
  std::vector<std::string> texts = Texts();
  std::string all;
  for (int byte = 0; byte < 256; ++byte) all.push_back(static_cast<char>(byte));
  texts.push_back(all);
  texts.push_back("Ünseen 字 😀 \xE4\xBD \xFF");
  std::mt19937 random(1);
  for (int round = 0; round < 50; ++round) {
    std::string bytes(random() % 300, ' ');
    for (char& byte : bytes) byte = static_cast<char>(random() % 256);
    texts.push_back(bytes);
  }
  for (const std::string& text : texts) {
    for (const bool parse_special : {false, true}) {
      EXPECT_EQ(BytesOf(*made.tokenizer, made.tokenizer->Encode(text, {.parse_special = parse_special})), text);
    }
  }
}

TEST_P(TrainedTokenizerTest, CountsTheTokensThatTheTextsAre) {
  const Trained made = TrainTokens(Options());
  ASSERT_NE(made.tokenizer, nullptr);
  uint64_t tokens = 0;
  for (const std::string& text : Texts()) tokens += made.tokenizer->Encode(text, {.parse_special = true}).size();
  EXPECT_EQ(made.tokens, tokens);
}

TEST_P(TrainedTokenizerTest, DoesNotDependOnTheOrderOfTexts) {
  const Trained one = TrainTokens(Options());
  std::vector<std::string> texts = Texts();
  std::reverse(texts.begin(), texts.end());
  const Trained other = TrainTokens(Options(), texts);
  ASSERT_EQ(one.metadata.keys(), other.metadata.keys());
  for (const char* key : {"tokenizer.ggml.tokens", "tokenizer.ggml.merges"}) {
    EXPECT_EQ((*one.metadata.Array(key))->strings, (*other.metadata.Array(key))->strings);
  }
}

TEST_P(TrainedTokenizerTest, KeepsSpecialTokensLastAndWhole) {
  const Trained made = TrainTokens(Options());
  ASSERT_NE(made.tokenizer, nullptr);
  const Tokenizer& tokenizer = *made.tokenizer;
  const auto first = static_cast<TokenId>(made.file.vocabulary.tokens.size());
  ASSERT_EQ(tokenizer.vocab_size(), made.file.vocabulary.tokens.size() + 8);
  EXPECT_EQ(made.metadata.UintOr("llama.vocab_size", 0), tokenizer.vocab_size());
  for (int i = 0; i < 8; ++i) EXPECT_TRUE(tokenizer.IsControl(first + i));
  EXPECT_FALSE(tokenizer.IsControl(first - 1));
  EXPECT_EQ(tokenizer.bos(), first);
  EXPECT_EQ(tokenizer.eos(), first);
  EXPECT_TRUE(tokenizer.IsEndOfGeneration(first)) << "<|endoftext|>";
  EXPECT_TRUE(tokenizer.IsEndOfGeneration(first + 3)) << "<|im_end|>";
  EXPECT_FALSE(tokenizer.IsEndOfGeneration(first + 2)) << "<|im_start|>";
  EXPECT_EQ(made.metadata.UintOr("tokenizer.ggml.padding_token_id", 0), uint64_t(first) + 1);
  EXPECT_EQ(made.metadata.UintOr("tokenizer.ggml.eot_token_id", 0), uint64_t(first) + 3);
  EXPECT_THAT(tokenizer.Encode("<|endoftext|><|label|><|spare_2|>", {.parse_special = true}),
              ElementsAre(first, first + 4, first + 7));
  EXPECT_GT(tokenizer.Encode("<|endoftext|>", {}).size(), 1u) << "as text it is text";
  for (const std::string& token : made.file.vocabulary.tokens) {
    EXPECT_EQ(token.find("endo"), std::string::npos) << "learnt from a special token";
    EXPECT_EQ(token.find("im_"), std::string::npos);
  }
  // Documents begin with BOS.
  EXPECT_EQ(tokenizer.Encode("a", {.add_special = true}).front(), first);
}

INSTANTIATE_TEST_SUITE_P(Kinds, TrainedTokenizerTest,
                         ::testing::Values(TokenizerKind::kBytePair, TokenizerKind::kCharacter));

TEST(TokenizerTrainer, ByPairsFillsTheVocabularyAndWritesNumbersDigitByDigit) {
  const Trained made = TrainTokens({.vocab_size = 290});
  ASSERT_NE(made.tokenizer, nullptr);
  EXPECT_EQ(made.metadata.StringOr("tokenizer.ggml.pre", ""), "qwen2");
  EXPECT_EQ(made.tokenizer->vocab_size(), 290u);
  EXPECT_EQ(made.tokenizer->Encode(" cat", {}).size(), 1u);
  EXPECT_EQ(made.tokenizer->Encode("12345", {}).size(), 5u);
  EXPECT_LT(TrainTokens({.vocab_size = 4000}).tokenizer->vocab_size(), 4000u) << "the texts are short";
}

TEST(TokenizerTrainer, ByCharactersTakesKnownWordsWholeAndOthersApart) {
  const Trained made = TrainTokens({.kind = TokenizerKind::kCharacter, .vocab_size = 400});
  ASSERT_NE(made.tokenizer, nullptr);
  const Tokenizer& tokenizer = *made.tokenizer;
  EXPECT_EQ(made.metadata.StringOr("tokenizer.ggml.pre", ""), "tekken");
  EXPECT_EQ(tokenizer.Encode(" cat", {}).size(), 1u);
  EXPECT_EQ(tokenizer.Encode(" the cat", {}).size(), 2u);
  EXPECT_EQ(tokenizer.Encode(" cats", {}).size(), 5u) << "its beginning is a word, it is none";
  EXPECT_EQ(tokenizer.Encode("你好", {}).size(), 2u);
  EXPECT_EQ(tokenizer.Encode("字", {}).size(), 3u) << "never seen: bytes";
  EXPECT_EQ(tokenizer.Encode("123", {}).size(), 3u);
  // Without words, a text has as many tokens as characters.
  const Trained bare = TrainTokens({.kind = TokenizerKind::kCharacter, .vocab_size = 400, .words = 0});
  EXPECT_EQ(bare.tokenizer->Encode(" the cat, naïve 你", {}).size(), 17u);
}

TEST(TokenizerTrainer, StoresAChatTemplateThatRenders) {
  const Trained made = TrainTokens({.vocab_size = 340, .chat_template = kChatMlTemplate});
  ASSERT_NE(made.tokenizer, nullptr);
  const auto chat = ChatTemplate::FromGguf(made.metadata, *made.tokenizer);
  ASSERT_TRUE(chat.ok()) << chat.status();
  EXPECT_TRUE(chat->abilities().system_role);
  ChatRequest request;
  request.messages = nlohmann::ordered_json::parse(
      R"([{"role": "system", "content": "Be brief."}, {"role": "user", "content": " Hi\n"},
          {"role": "assistant", "content": "Hello."}, {"role": "user", "content": [{"type": "text", "text": "Bye"}]}])");
  const auto prompt = chat->Render(request);
  ASSERT_TRUE(prompt.ok()) << prompt.status();
  EXPECT_EQ(*prompt,
            "<|endoftext|><|im_start|>system\nBe brief.<|im_end|>\n<|im_start|>user\n Hi\n<|im_end|>\n"
            "<|im_start|>assistant\nHello.<|im_end|>\n<|im_start|>user\nBye<|im_end|>\n<|im_start|>assistant\n");
  const std::vector<TokenId> ids = made.tokenizer->Encode(*prompt, {.parse_special = true});
  EXPECT_EQ(ids.front(), made.tokenizer->bos());
  EXPECT_EQ(std::count_if(ids.begin(), ids.end(), [&](TokenId id) { return made.tokenizer->IsControl(id); }), 10);
  EXPECT_FALSE(ChatTemplate::IsIn(TrainTokens({.vocab_size = 340}).metadata)) << "only where it is asked for";
}

TEST(TokenizerTrainer, KeysAreCopiedIntoAModel) {
  const Trained made = TrainTokens({.vocab_size = 340, .chat_template = kChatMlTemplate});
  GgufMetadata model;
  model.Set("general.architecture", std::string("qwen2"));
  CopyTokenizerKeys(made.metadata, model);
  EXPECT_EQ(model.StringOr("general.architecture", ""), "qwen2");
  EXPECT_FALSE(model.Has("llama.vocab_size"));
  EXPECT_TRUE(ChatTemplate::IsIn(model));
  const auto copy = Tokenizer::FromGguf(model);
  ASSERT_TRUE(copy.ok()) << copy.status();
  for (const std::string& text : Texts()) {
    EXPECT_EQ((*copy)->Encode(text, {.add_special = true, .parse_special = true}),
              made.tokenizer->Encode(text, {.add_special = true, .parse_special = true}));
  }
}

TEST(TokenizerTrainer, RefusesWhatCannotBe) {
  const auto message = [](TokenizerTrainerOptions options) {
    return ToString(TokenizerTrainer::Create(std::move(options)).status().message());
  };
  EXPECT_THAT(message({.vocab_size = 275}), AllOf(HasSubstr("275"), HasSubstr("20 special tokens"), HasSubstr("276")));
  EXPECT_EQ(message({.vocab_size = 276}), "");
  EXPECT_THAT(message({.vocab_size = 300, .pre = "nonsense"}), HasSubstr("'nonsense'"));
  EXPECT_THAT(message({.kind = TokenizerKind::kCharacter, .vocab_size = 300, .pre = "qwen2"}),
              AllOf(HasSubstr("'qwen2'"), HasSubstr("llama-bpe")));
  const std::pair<std::string, const char*> wrong[] = {
      {"", "is empty"},     {std::string(257, 'a'), "256 bytes"}, {"<\xFF>", "UTF-8"}, {"<|a\nb|>", "control"},
      {"<|pad|>", "twice"},
  };
  for (const auto& [special, named] : wrong) {
    EXPECT_THAT(message({.vocab_size = 400, .special_tokens = SpecialTokens::Standard({special}, 0)}),
                HasSubstr(named));
  }
  SpecialTokens nameless;
  nameless.eos = "<eos>";
  EXPECT_THAT(message({.vocab_size = 400, .special_tokens = nameless}), HasSubstr("<eos>"));

  auto empty = TokenizerTrainer::Create({.vocab_size = 300});
  ASSERT_TRUE(empty.ok());
  EXPECT_THAT(ToString((*empty)->Train().status().message()), HasSubstr("no text"));
}

TEST(TokenizerTrainer, RefusesASpecialTokenThatIsWrittenAsAnother) {
  auto trainer = TokenizerTrainer::Create({.vocab_size = 400, .special_tokens = SpecialTokens::Standard({"Ġcat"}, 0)});
  ASSERT_TRUE(trainer.ok());
  (*trainer)->Add(" cat cat cat");
  const auto file = (*trainer)->Train();
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_THAT(ToString(VocabularyMetadata(*file, "t").status().message()), HasSubstr("'Ġcat'"));
}

}  // namespace
}  // namespace enigma::engine
