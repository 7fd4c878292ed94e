#include "engine/text/vocabulary.h"

#include <cmath>
#include <utility>

#include <absl/container/flat_hash_set.h>
#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"

namespace enigma::engine {
namespace {

constexpr size_t kTokenBytesMax = size_t{1} << 16;

constexpr char kTokens[] = "tokenizer.ggml.tokens";
constexpr char kScores[] = "tokenizer.ggml.scores";
constexpr char kTypes[] = "tokenizer.ggml.token_type";

absl::Status CheckLength(const char* key, size_t length, size_t tokens) {
  if (length == tokens) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat(key, " has ", length, " elements, but ", kTokens, " has ", tokens, ": one per token is needed"));
}

absl::Status ReadTexts(const GgufMetadata& metadata, std::vector<VocabularyToken>& tokens) {
  ENIGMA_ASSIGN_OR_RETURN(const GgufArray* array, metadata.Array(kTokens));
  const std::vector<std::string>& texts = array->strings;
  if (texts.empty()) return absl::InvalidArgumentError(absl::StrCat(kTokens, " holds no strings"));
  if (texts.size() > kVocabularyMax) {
    return absl::InvalidArgumentError(
        absl::StrCat(kTokens, " has ", texts.size(), " elements; at most ", kVocabularyMax, " are supported"));
  }
  tokens.resize(texts.size());
  for (size_t i = 0; i < texts.size(); ++i) {
    if (texts[i].size() > kTokenBytesMax) {
      return absl::InvalidArgumentError(absl::StrCat(kTokens, "[", i, "] has ", texts[i].size(), " bytes; at most ",
                                                     kTokenBytesMax, " are supported"));
    }
    tokens[i].text = texts[i];
  }
  return absl::OkStatus();
}

absl::Status ReadScores(const GgufMetadata& metadata, std::vector<VocabularyToken>& tokens) {
  ENIGMA_ASSIGN_OR_RETURN(const GgufArray* array, metadata.Array(kScores));
  const bool integers = array->floats.empty();
  ENIGMA_RETURN_IF_ERROR(CheckLength(kScores, integers ? array->integers.size() : array->floats.size(), tokens.size()));
  for (size_t i = 0; i < tokens.size(); ++i) {
    tokens[i].score = integers ? static_cast<float>(array->integers[i]) : static_cast<float>(array->floats[i]);
    if (std::isnan(tokens[i].score)) {
      return absl::InvalidArgumentError(absl::StrCat(kScores, "[", i, "] is not a number"));
    }
  }
  return absl::OkStatus();
}

absl::Status ReadTypes(const GgufMetadata& metadata, std::vector<VocabularyToken>& tokens) {
  ENIGMA_ASSIGN_OR_RETURN(const GgufArray* array, metadata.Array(kTypes));
  ENIGMA_RETURN_IF_ERROR(CheckLength(kTypes, array->integers.size(), tokens.size()));
  for (size_t i = 0; i < tokens.size(); ++i) {
    const int64_t type = array->integers[i];
    if (type < static_cast<int64_t>(TokenType::kNormal) || type > static_cast<int64_t>(TokenType::kByte)) {
      return absl::InvalidArgumentError(absl::StrCat(kTypes, "[", i, "] is ", type, "; types are 1 to 6"));
    }
    tokens[i].type = static_cast<TokenType>(type);
    if (tokens[i].type == TokenType::kByte && !ParseByteToken(tokens[i].text)) {
      return absl::InvalidArgumentError(absl::StrCat(kTokens, "[", i, "] is '",
                                                     absl::CHexEscape(tokens[i].text.substr(0, 64)),
                                                     "', but its type is byte: it must look like <0x0A>"));
    }
  }
  return absl::OkStatus();
}

// Leaves `id` alone when the key is absent, but drops a default that the vocabulary is too small for.
absl::Status ReadSpecialId(const GgufMetadata& metadata, const char* key, size_t tokens, std::optional<TokenId>& id) {
  if (!metadata.Has(key)) {
    if (id && static_cast<size_t>(*id) >= tokens) id.reset();
    return absl::OkStatus();
  }
  ENIGMA_ASSIGN_OR_RETURN(const uint64_t value, metadata.Uint(key));
  if (value >= tokens) {
    return absl::InvalidArgumentError(
        absl::StrCat(key, " is ", value, ", but ", kTokens, " has ", tokens, " elements"));
  }
  id = static_cast<TokenId>(value);
  return absl::OkStatus();
}

absl::Status ReadAddFlag(const GgufMetadata& metadata, const char* key, const char* id_key, bool has_id, bool& flag) {
  if (!metadata.Has(key)) {
    flag = flag && has_id;
    return absl::OkStatus();
  }
  ENIGMA_ASSIGN_OR_RETURN(flag, metadata.Bool(key));
  if (flag && !has_id) return absl::InvalidArgumentError(absl::StrCat(key, " is true, but ", id_key, " is missing"));
  return absl::OkStatus();
}

}  // namespace

std::optional<uint8_t> ParseByteToken(std::string_view text) {
  const auto digit = [](char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    return -1;
  };
  if (text.size() != 6 || text.substr(0, 3) != "<0x" || text[5] != '>') return std::nullopt;
  const int high = digit(text[3]);
  const int low = digit(text[4]);
  if (high < 0 || low < 0) return std::nullopt;
  return static_cast<uint8_t>(high << 4 | low);
}

absl::Status Vocabulary::IndexTexts() {
  ids.clear();
  ids.reserve(tokens.size());
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].text.empty()) continue;
    const auto [first, added] = ids.try_emplace(tokens[i].text, static_cast<TokenId>(i));
    if (!added) {
      return absl::InvalidArgumentError(absl::StrCat(kTokens, "[", i, "] is '",
                                                     absl::CHexEscape(tokens[i].text.substr(0, 64)),
                                                     "', as is element ", first->second, ": tokens must differ"));
    }
  }
  return absl::OkStatus();
}

std::optional<TokenId> Vocabulary::Find(std::string_view text) const {
  const auto found = ids.find(ToAbsl(text));
  return found == ids.end() ? std::nullopt : std::optional<TokenId>(found->second);
}

void Vocabulary::FillBytes(const std::function<std::string(const std::string& text)>& decode) {
  for (VocabularyToken& token : tokens) {
    switch (token.type) {
      case TokenType::kNormal:
      case TokenType::kUnused:
        token.bytes = decode(token.text);
        break;
      case TokenType::kByte:
        token.bytes = static_cast<char>(*ParseByteToken(token.text));
        break;
      case TokenType::kUnknown:
      case TokenType::kControl:
      case TokenType::kUserDefined:
        token.bytes = token.text;
        break;
    }
  }
}

void Vocabulary::MarkEndOfGeneration() {
  // GGUF has keys for a few of these only. Llama 2 and 3, ChatML (Qwen and others), Phi, Gemma, GPT-2, Granite,
  // CodeLlama, Falcon, Kimi, GPT-OSS, SmolVLM, DeepSeek.
  static constexpr const char* kTexts[] = {
      "</s>",
      "<|eot_id|>",
      "<|eom_id|>",
      "<|end_of_text|>",
      "<|im_end|>",
      "<|end|>",
      "<end_of_turn>",
      "<eos>",
      "<|endoftext|>",
      "<EOT>",
      "_<EOT>",
      "[EOT]",
      "[EOS]",
      "<|return|>",
      "<|call|>",
      "<|EOT|>",
      "<end_of_utterance>",
      // In two parts, as an "e" would belong to the escape.
      ("<\xEF\xBD\x9C"
       "end\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>"),
  };
  for (const char* text : kTexts) {
    const std::optional<TokenId> id = Find(text);
    if (!id) continue;
    tokens[*id].ends_generation = true;
    tokens[*id].type = TokenType::kControl;
  }
  // In GPT-OSS's format <|end|> closes one message of several; <|return|> and <|call|> end the turn.
  if (const std::optional<TokenId> end = Find("<|end|>"); end && Find("<|return|>") && Find("<|call|>")) {
    tokens[*end].ends_generation = false;
  }
  if (eos) tokens[*eos].ends_generation = true;
}

absl::StatusOr<Vocabulary> Vocabulary::Read(const GgufMetadata& metadata, const VocabularyDefaults& defaults) {
  Vocabulary made;
  ENIGMA_RETURN_IF_ERROR(ReadTexts(metadata, made.tokens));
  if (defaults.needs_scores_and_types || metadata.Has(kScores)) {
    ENIGMA_RETURN_IF_ERROR(ReadScores(metadata, made.tokens));
  }
  if (defaults.needs_scores_and_types || metadata.Has(kTypes)) {
    ENIGMA_RETURN_IF_ERROR(ReadTypes(metadata, made.tokens));
  }
  ENIGMA_RETURN_IF_ERROR(made.IndexTexts());

  const size_t count = made.tokens.size();
  made.bos = defaults.bos;
  made.eos = defaults.eos;
  made.unknown = defaults.unknown;
  std::optional<TokenId> end_of_turn, end_of_message, padding;
  ENIGMA_RETURN_IF_ERROR(ReadSpecialId(metadata, "tokenizer.ggml.bos_token_id", count, made.bos));
  ENIGMA_RETURN_IF_ERROR(ReadSpecialId(metadata, "tokenizer.ggml.eos_token_id", count, made.eos));
  ENIGMA_RETURN_IF_ERROR(ReadSpecialId(metadata, "tokenizer.ggml.unknown_token_id", count, made.unknown));
  ENIGMA_RETURN_IF_ERROR(ReadSpecialId(metadata, "tokenizer.ggml.eot_token_id", count, end_of_turn));
  ENIGMA_RETURN_IF_ERROR(ReadSpecialId(metadata, "tokenizer.ggml.eom_token_id", count, end_of_message));
  ENIGMA_RETURN_IF_ERROR(ReadSpecialId(metadata, "tokenizer.ggml.padding_token_id", count, padding));
  made.add_bos = defaults.add_bos;
  ENIGMA_RETURN_IF_ERROR(ReadAddFlag(metadata, "tokenizer.ggml.add_bos_token", "tokenizer.ggml.bos_token_id",
                                     made.bos.has_value(), made.add_bos));
  ENIGMA_RETURN_IF_ERROR(ReadAddFlag(metadata, "tokenizer.ggml.add_eos_token", "tokenizer.ggml.eos_token_id",
                                     made.eos.has_value(), made.add_eos));
  made.MarkEndOfGeneration();
  if (end_of_turn) made.tokens[*end_of_turn].ends_generation = true;
  if (end_of_message) made.tokens[*end_of_message].ends_generation = true;
  return made;
}

}  // namespace enigma::engine
