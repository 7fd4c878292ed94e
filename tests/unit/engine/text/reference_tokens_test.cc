// Ids that other programs gave for the same texts: see the tokenizers folder of the shared test data.

#include <random>
#include <sstream>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine/spec/gguf.h"
#include "engine/text/tokenizer.h"
#include "tests/support/test_data.h"

namespace enigma::engine {
namespace {

using enigma::testing::ReadFileOrDie;

std::unique_ptr<Tokenizer> FromGgufFile(const std::string& path) {
  const auto file = GgufFile::Open(path);
  EXPECT_TRUE(file.ok()) << file.status();
  if (!file.ok()) return nullptr;
  auto made = Tokenizer::FromGguf((*file)->metadata());
  EXPECT_TRUE(made.ok()) << made.status();
  return made.ok() ? *std::move(made) : nullptr;
}

std::unique_ptr<Tokenizer> FromRanksFile(const std::string& path, std::string_view pre,
                                         const std::vector<std::string>& special_tokens) {
  auto made = Tokenizer::FromTiktoken(ReadFileOrDie(path), pre, special_tokens);
  EXPECT_TRUE(made.ok()) << made.status();
  return made.ok() ? *std::move(made) : nullptr;
}

// Texts, each followed by a line with the marker.
std::vector<std::string> ReadInputs(const std::string& path) {
  const std::string content = ReadFileOrDie(path);
  const std::string marker = "\n__ggml_vocab_test__\n";
  std::vector<std::string> texts;
  size_t at = 0;
  for (size_t end; (end = content.find(marker, at)) != std::string::npos; at = end + marker.size()) {
    texts.push_back(content.substr(at, end - at));
  }
  return texts;
}

std::vector<std::vector<TokenId>> ReadOutputs(const std::string& path) {
  std::vector<std::vector<TokenId>> all;
  std::istringstream lines(ReadFileOrDie(path));
  for (std::string line; std::getline(lines, line);) {
    std::istringstream numbers(line);
    std::vector<TokenId> ids;
    for (TokenId id; numbers >> id;) ids.push_back(id);
    all.push_back(ids);
  }
  return all;
}

void ExpectReferenceTokens(const Tokenizer& tokenizer, const std::string& inputs, const std::string& outputs) {
  const std::vector<std::string> texts = ReadInputs(inputs);
  const std::vector<std::vector<TokenId>> expected = ReadOutputs(outputs);
  ASSERT_EQ(texts.size(), expected.size());
  ASSERT_GT(texts.size(), 40u);
  for (size_t i = 0; i < texts.size(); ++i) {
    EXPECT_EQ(tokenizer.Encode(texts[i], {}), expected[i]) << "text " << i << ": '" << texts[i] << "'";
    EXPECT_EQ(Decode(tokenizer, expected[i]), texts[i]) << "text " << i;
  }
}

class ReferenceTokensTest : public ::testing::TestWithParam<const char*> {};

TEST_P(ReferenceTokensTest, OfAVocabularyFile) {
  const std::string name = std::string("tokenizers/ggml-vocab-") + GetParam() + ".gguf";
  ENIGMA_REQUIRE_DATA(path, name);
  ENIGMA_REQUIRE_DATA(inputs, name + ".inp");
  ENIGMA_REQUIRE_DATA(outputs, name + ".out");
  const auto tokenizer = FromGgufFile(path);
  ASSERT_NE(tokenizer, nullptr);
  ExpectReferenceTokens(*tokenizer, inputs, outputs);
}

INSTANTIATE_TEST_SUITE_P(Vocabularies, ReferenceTokensTest,
                         ::testing::Values("llama-spm", "gpt-2", "mpt", "deepseek-coder"));

TEST(ReferenceTokens, OfLlama3) {
  ENIGMA_REQUIRE_DATA(ranks, "tokenizers/llama3/tokenizer.model");
  ENIGMA_REQUIRE_DATA(inputs, "tokenizers/ggml-vocab-llama-bpe.gguf.inp");
  ENIGMA_REQUIRE_DATA(outputs, "tokenizers/ggml-vocab-llama-bpe.gguf.out");
  const auto tokenizer = FromRanksFile(ranks, "llama-bpe", {"<|begin_of_text|>", "<|end_of_text|>"});
  ASSERT_NE(tokenizer, nullptr);
  EXPECT_EQ(tokenizer->vocab_size(), 128002u);
  EXPECT_EQ(tokenizer->bos(), 128000);
  ExpectReferenceTokens(*tokenizer, inputs, outputs);
  EXPECT_EQ(tokenizer->Encode("", {.add_special = true}), std::vector<TokenId>{128000});
}

// Three lines per case: encoding, sample, ids as a JSON array.
void ExpectTestPlans(const Tokenizer& tokenizer, const std::string& path, const std::string& encoding) {
  std::istringstream lines(ReadFileOrDie(path));
  int cases = 0;
  for (std::string name, sample, ids; std::getline(lines, name);) {
    if (name != "EncodingName: " + encoding) continue;
    ASSERT_TRUE(std::getline(lines, sample) && std::getline(lines, ids));
    sample = sample.substr(std::string("Sample: ").size());
    const auto expected =
        nlohmann::json::parse(ids.substr(std::string("Encoded: ").size())).get<std::vector<TokenId>>();
    EXPECT_EQ(tokenizer.Encode(sample, {}), expected) << sample;
    EXPECT_EQ(Decode(tokenizer, expected), sample);
    ++cases;
  }
  EXPECT_GT(cases, 50);
}

TEST(ReferenceTokens, OfCl100k) {
  ENIGMA_REQUIRE_DATA(ranks, "tokenizers/tiktoken/cl100k_base.tiktoken");
  ENIGMA_REQUIRE_DATA(plans, "tokenizers/tiktoken/TestPlans.txt");
  const auto tokenizer = FromRanksFile(ranks, "cl100k", {});
  ASSERT_NE(tokenizer, nullptr);
  ExpectTestPlans(*tokenizer, plans, "cl100k_base");
}

TEST(ReferenceTokens, OfR50kWhichIsGpt2) {
  ENIGMA_REQUIRE_DATA(path, "tokenizers/ggml-vocab-gpt-2.gguf");
  ENIGMA_REQUIRE_DATA(plans, "tokenizers/tiktoken/TestPlans.txt");
  const auto tokenizer = FromGgufFile(path);
  ASSERT_NE(tokenizer, nullptr);
  ExpectTestPlans(*tokenizer, plans, "r50k_base");
}

TEST(ReferenceTokens, OfTheStoryModels) {
  ENIGMA_REQUIRE_DATA(outputs, "models/reference_outputs.json");
  const auto reference = nlohmann::json::parse(ReadFileOrDie(outputs));
  for (const auto& [bin, model] : reference.items()) {
    const std::string name = "models/" + bin.substr(0, bin.rfind('.')) + "-f32.gguf";
    ENIGMA_REQUIRE_DATA(path, name);
    const auto tokenizer = FromGgufFile(path);
    ASSERT_NE(tokenizer, nullptr);
    for (const auto& c : model.at("cases")) {
      const auto prompt = c.at("prompt").get<std::string>();
      EXPECT_EQ(tokenizer->Encode(prompt, {.add_special = true}), c.at("prompt_ids").get<std::vector<TokenId>>());
      Detokenizer detokenizer(*tokenizer, /*continuation=*/true);
      std::string text;
      for (const TokenId id : c.at("greedy_ids").get<std::vector<TokenId>>()) text += detokenizer.Add(id);
      EXPECT_EQ(text + detokenizer.Finish(), c.at("greedy_text").get<std::string>());
    }
  }
}

class RoundTripTest : public ::testing::TestWithParam<const char*> {
 protected:
  // The bytes of all tokens, without the space that SentencePiece puts first.
  static std::string BytesOf(const Tokenizer& tokenizer, const std::vector<TokenId>& ids) {
    std::string bytes;
    for (const TokenId id : ids) bytes += tokenizer.TokenBytes(id, /*render_special=*/true);
    return tokenizer.StripsLeadingSpace() && !bytes.empty() ? bytes.substr(1) : bytes;
  }
};

TEST_P(RoundTripTest, OfBooksAndOfArbitraryBytes) {
  ENIGMA_REQUIRE_DATA(path, GetParam());
  ENIGMA_REQUIRE_DATA(shakespeare, "text/tinyshakespeare.txt");
  ENIGMA_REQUIRE_DATA(wikitext, "text/wikitext2_valid.txt");
  const auto tokenizer = path.ends_with(".gguf") ? FromGgufFile(path) : FromRanksFile(path, "llama-bpe", {});
  ASSERT_NE(tokenizer, nullptr);
  for (const std::string& file : {shakespeare, wikitext}) {
    const std::string text = ReadFileOrDie(file);
    const std::vector<TokenId> ids = tokenizer->Encode(text, {});
    EXPECT_LT(ids.size(), text.size());
    EXPECT_TRUE(BytesOf(*tokenizer, ids) == text) << file;
    EXPECT_TRUE(Decode(*tokenizer, ids) == text) << file;
  }
  // Some vocabularies lack bytes that UTF-8 never holds: 0xC0, 0xC1, 0xF5 and up.
  std::string known;
  for (int byte = 0; byte < 256; ++byte) {
    const std::string one(1, static_cast<char>(byte));
    if (BytesOf(*tokenizer, tokenizer->Encode(one, {})) == one) known += one;
  }
  EXPECT_GE(known.size(), 243u);
  std::mt19937 random(1);
  for (int round = 0; round < 20; ++round) {
    std::string bytes(random() % 4000, ' ');
    for (char& byte : bytes) byte = known[random() % (round % 2 == 0 ? known.size() : 128)];
    EXPECT_TRUE(BytesOf(*tokenizer, tokenizer->Encode(bytes, {})) == bytes) << "round " << round;
  }
  EXPECT_EQ(tokenizer->pre_tokenizer_limit_hits(), 0u);
}

INSTANTIATE_TEST_SUITE_P(Vocabularies, RoundTripTest,
                         ::testing::Values("tokenizers/ggml-vocab-llama-spm.gguf", "tokenizers/ggml-vocab-gpt-2.gguf",
                                           "tokenizers/ggml-vocab-mpt.gguf", "tokenizers/llama3/tokenizer.model",
                                           "models/stories260K-f32.gguf"));

// One word of hundreds of kilobytes must not take quadratic time: a second, not hours.
#ifdef ENIGMA_SANITIZED
constexpr size_t kLongText = 60'000;  // sanitizers slow this test twentyfold
#else
constexpr size_t kLongText = 300'000;
#endif

TEST(LongTexts, OfOneWordEndSoon) {
  ENIGMA_REQUIRE_DATA(words, "tokenizers/ggml-vocab-llama-spm.gguf");
  ENIGMA_REQUIRE_DATA(ranks, "tokenizers/llama3/tokenizer.model");
  const auto sentence_piece = FromGgufFile(words);
  const auto byte_pair = FromRanksFile(ranks, "gpt-4o", {});
  ASSERT_TRUE(sentence_piece != nullptr && byte_pair != nullptr);
  for (const std::string_view unit : {"a", " ", "A", "\n", "é", "你", "!", "'", "7"}) {
    std::string text;
    while (text.size() < kLongText) text += unit;
    for (const Tokenizer* tokenizer : {sentence_piece.get(), byte_pair.get()}) {
      EXPECT_TRUE(Decode(*tokenizer, tokenizer->Encode(text, {})) == text) << unit;
    }
  }
  EXPECT_EQ(byte_pair->pre_tokenizer_limit_hits(), 0u);
}

}  // namespace
}  // namespace enigma::engine
