#include "engine/text/tokenizer_file.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_set.h>
#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/text/byte_alphabet.h"
#include "engine/text/vocabulary.h"

namespace enigma::engine {
namespace {

std::string InAlphabet(const std::string& bytes) {
  std::string text;
  for (const char byte : bytes) text += ByteToAlphabet(static_cast<uint8_t>(byte));
  return text;
}

absl::Status CheckApart(const std::vector<std::string>& written, const std::vector<std::string>& special) {
  const absl::flat_hash_set<std::string> known(written.begin(), written.end());
  for (const std::string& text : special) {
    if (known.contains(text)) {
      return absl::InvalidArgumentError(
          absl::StrCat("special token '", text,
                       "' is written as a token of the vocabulary is; give it marks such as <|", text, "|>"));
    }
  }
  return absl::OkStatus();
}

// Sets `key` to the id of `text`, where there is one.
void SetSpecialId(const SpecialTokens& special, uint64_t first_id, const std::string& text, const char* key,
                  GgufMetadata& metadata) {
  if (text.empty()) return;
  const auto place = std::find(special.texts.begin(), special.texts.end(), text) - special.texts.begin();
  metadata.Set(key, first_id + static_cast<uint64_t>(place));
}

}  // namespace

absl::Status AddTokenizerKeys(const TokenizerFile& file, GgufMetadata& metadata) {
  const SpecialTokens& special = file.special_tokens;
  ENIGMA_RETURN_IF_ERROR(special.Check());
  const uint64_t plain_count = file.vocabulary.tokens.size();

  auto tokens = std::make_unique<GgufArray>();
  for (const std::string& bytes : file.vocabulary.tokens) tokens->strings.push_back(InAlphabet(bytes));
  ENIGMA_RETURN_IF_ERROR(CheckApart(tokens->strings, special.texts));
  auto merges = std::make_unique<GgufArray>();
  for (const LearnedVocabulary::Merge& merge : file.vocabulary.merges) {
    merges->strings.push_back(absl::StrCat(tokens->strings[merge.left], " ", tokens->strings[merge.right]));
  }
  tokens->strings.insert(tokens->strings.end(), special.texts.begin(), special.texts.end());
  auto types = std::make_unique<GgufArray>();
  types->integers.assign(plain_count, static_cast<int64_t>(TokenType::kNormal));
  types->integers.resize(tokens->strings.size(), static_cast<int64_t>(TokenType::kControl));

  metadata.Set("tokenizer.ggml.model", std::string("gpt2"));
  metadata.Set("tokenizer.ggml.pre", file.pre);
  metadata.Set("tokenizer.ggml.tokens", std::move(tokens));
  metadata.Set("tokenizer.ggml.token_type", std::move(types));
  metadata.Set("tokenizer.ggml.merges", std::move(merges));
  SetSpecialId(special, plain_count, special.bos, "tokenizer.ggml.bos_token_id", metadata);
  SetSpecialId(special, plain_count, special.eos, "tokenizer.ggml.eos_token_id", metadata);
  SetSpecialId(special, plain_count, special.padding, "tokenizer.ggml.padding_token_id", metadata);
  SetSpecialId(special, plain_count, special.end_of_turn, "tokenizer.ggml.eot_token_id", metadata);
  // Both always, since readers differ in what they assume of a pre-tokenizer's family.
  metadata.Set("tokenizer.ggml.add_bos_token", file.add_bos && !special.bos.empty());
  metadata.Set("tokenizer.ggml.add_eos_token", false);
  if (!file.chat_template.empty()) metadata.Set("tokenizer.chat_template", file.chat_template);
  return absl::OkStatus();
}

absl::StatusOr<GgufMetadata> VocabularyMetadata(const TokenizerFile& file, const std::string& name) {
  GgufMetadata metadata;
  // A family must be named, though nothing of it is there.
  metadata.Set("general.architecture", std::string("llama"));
  metadata.Set("general.type", std::string("model"));
  metadata.Set("general.name", name);
  metadata.Set("llama.vocab_size", uint64_t{file.vocabulary.tokens.size() + file.special_tokens.texts.size()});
  ENIGMA_RETURN_IF_ERROR(AddTokenizerKeys(file, metadata));
  return metadata;
}

void CopyTokenizerKeys(const GgufMetadata& from, GgufMetadata& to) { CopyKeys(from, "tokenizer.", to); }

}  // namespace enigma::engine
