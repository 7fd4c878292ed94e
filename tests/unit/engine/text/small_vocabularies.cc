#include "tests/unit/engine/text/small_vocabularies.h"

#include <utility>

#include <absl/strings/str_format.h>

#include "engine/text/byte_alphabet.h"

namespace enigma::engine::testing {

std::unique_ptr<GgufArray> Strings(std::vector<std::string> values) {
  auto array = std::make_unique<GgufArray>();
  array->strings = std::move(values);
  return array;
}

std::unique_ptr<GgufArray> Integers(std::vector<int64_t> values) {
  auto array = std::make_unique<GgufArray>();
  array->integers = std::move(values);
  return array;
}

std::unique_ptr<GgufArray> Floats(std::vector<double> values) {
  auto array = std::make_unique<GgufArray>();
  array->floats = std::move(values);
  return array;
}

GgufMetadata SentencePieceVocabulary() {
  std::vector<std::string> tokens = {"<unk>", "<s>", "</s>"};
  std::vector<double> scores = {0, 0, 0};
  std::vector<int64_t> types = {2, 3, 3};
  for (int byte = 0; byte < 256; ++byte) {
    tokens.push_back(absl::StrFormat("<0x%02X>", byte));
    scores.push_back(0);
    types.push_back(6);
  }
  const std::vector<std::pair<const char*, double>> words = {{"▁", -20},  {"h", -21},     {"e", -22}, {"l", -23},
                                                             {"o", -24},  {"ll", -1},     {"he", -2}, {"▁he", -3},
                                                             {"llo", -4}, {"▁hello", -5}, {"▁▁", -6}};
  for (const auto& [word, score] : words) {
    tokens.push_back(word);
    scores.push_back(score);
    types.push_back(1);
  }
  tokens.push_back("<user>");
  tokens.push_back("<end_of_turn>");
  scores.resize(tokens.size(), 0);
  types.push_back(4);
  types.push_back(3);

  GgufMetadata metadata;
  metadata.Set("tokenizer.ggml.model", std::string("llama"));
  metadata.Set("tokenizer.ggml.tokens", Strings(std::move(tokens)));
  metadata.Set("tokenizer.ggml.scores", Floats(std::move(scores)));
  metadata.Set("tokenizer.ggml.token_type", Integers(std::move(types)));
  return metadata;
}

GgufMetadata BytePairVocabulary(const std::string& pre) {
  std::vector<std::string> tokens;
  for (int byte = 0; byte < 256; ++byte) tokens.emplace_back(ByteToAlphabet(static_cast<uint8_t>(byte)));
  for (const char* word : {"he", "ll", "llo", "hello", "Ġhe", "word"}) tokens.push_back(word);
  std::vector<int64_t> types(tokens.size(), 1);
  for (const char* special : {"<|endoftext|>", "   ", "<|im_start|>", "<|im_end|>"}) {
    tokens.push_back(special);
    types.push_back(std::string(special) == "   " ? 4 : 3);
  }

  GgufMetadata metadata;
  metadata.Set("tokenizer.ggml.model", std::string("gpt2"));
  metadata.Set("tokenizer.ggml.pre", pre);
  metadata.Set("tokenizer.ggml.tokens", Strings(std::move(tokens)));
  metadata.Set("tokenizer.ggml.token_type", Integers(std::move(types)));
  metadata.Set("tokenizer.ggml.merges", Strings({"h e", "l l", "ll o", "he llo", "Ġ he"}));
  metadata.Set("tokenizer.ggml.bos_token_id", uint64_t{kBpEndOfText});
  metadata.Set("tokenizer.ggml.eos_token_id", uint64_t{kBpEndOfText});
  return metadata;
}

const Tokenizer& SmallTokenizer() {
  static const std::unique_ptr<Tokenizer> tokenizer = Tokenizer::FromGguf(BytePairVocabulary("gpt-2")).value();
  return *tokenizer;
}

}  // namespace enigma::engine::testing
