// Training compared with another program's result: see tokenizers/bpe_training of the shared test data.
#include <algorithm>
#include <map>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine/text/tokenizer_trainer.h"
#include "tests/support/test_data.h"

namespace enigma::engine {
namespace {

using enigma::testing::ReadFileOrDie;

std::vector<std::string> Lines(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

// Trained on one text, with <|endoftext|> as the only special token, as the keys of a GGUF file.
absl::StatusOr<GgufMetadata> TrainOn(const std::string& text, const std::string& pre, uint32_t vocab_size) {
  TokenizerTrainerOptions options;
  options.vocab_size = vocab_size;
  options.pre = pre;
  options.special_tokens = {.texts = {"<|endoftext|>"}};
  auto trainer = TokenizerTrainer::Create(options);
  if (!trainer.ok()) return trainer.status();
  (*trainer)->Add(text);
  const auto file = (*trainer)->Train();
  if (!file.ok()) return file.status();
  return VocabularyMetadata(*file, "reference");
}

TEST(BpeReference, MergesAndVocabularyAreThoseOfTheReference) {
  ENIGMA_REQUIRE_DATA(corpus, "tokenizers/bpe_training/corpus.en");
  ENIGMA_REQUIRE_DATA(merges, "tokenizers/bpe_training/train-bpe-reference-merges.txt");
  ENIGMA_REQUIRE_DATA(vocabulary, "tokenizers/bpe_training/train-bpe-reference-vocab.json");
  const auto metadata = TrainOn(ReadFileOrDie(corpus), "gpt-2", 500);
  ASSERT_TRUE(metadata.ok()) << metadata.status();
  EXPECT_EQ((*metadata->Array("tokenizer.ggml.merges"))->strings, Lines(ReadFileOrDie(merges)));

  // The reference puts its special token first, we put it last; all else stands in the same order.
  const auto ids = nlohmann::json::parse(ReadFileOrDie(vocabulary)).get<std::map<std::string, size_t>>();
  std::vector<std::string> expected(ids.size());
  for (const auto& [token, id] : ids) expected.at(id) = token;
  std::rotate(expected.begin(), expected.begin() + 1, expected.end());
  EXPECT_EQ((*metadata->Array("tokenizer.ggml.tokens"))->strings, expected);
}

TEST(BpeReference, SpecialTokensOfStoriesTeachNothing) {
  ENIGMA_REQUIRE_DATA(stories, "tokenizers/bpe_training/tinystories_sample.txt");
  const auto metadata = TrainOn(ReadFileOrDie(stories), "gpt-2", 1000);
  ASSERT_TRUE(metadata.ok()) << metadata.status();
  std::vector<std::string> tokens = (*metadata->Array("tokenizer.ggml.tokens"))->strings;
  ASSERT_EQ(tokens.back(), "<|endoftext|>");
  tokens.pop_back();
  for (const std::string& token : tokens) EXPECT_EQ(token.find("<|"), std::string::npos) << token;
}

TEST(BpeReference, LearnsGermanAndGivesItBack) {
  ENIGMA_REQUIRE_DATA(german, "tokenizers/bpe_training/german.txt");
  const std::string text = ReadFileOrDie(german);
  const auto metadata = TrainOn(text, "qwen2", 400);
  ASSERT_TRUE(metadata.ok()) << metadata.status();
  const auto tokenizer = Tokenizer::FromGguf(*metadata);
  ASSERT_TRUE(tokenizer.ok()) << tokenizer.status();
  const std::vector<TokenId> ids = (*tokenizer)->Encode(text, {});
  EXPECT_LT(ids.size(), text.size() / 2);
  EXPECT_EQ(Decode(**tokenizer, ids), text);
}

}  // namespace
}  // namespace enigma::engine
