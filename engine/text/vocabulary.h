#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "engine/spec/gguf.h"
#include "engine/text/tokenizer.h"

namespace enigma::engine {

// Tokens. The largest vocabularies in use have about 2^18.
inline constexpr uint32_t kVocabularyMax = uint32_t{1} << 22;

// The values of `tokenizer.ggml.token_type`.
enum class TokenType : uint8_t { kNormal = 1, kUnknown, kControl, kUserDefined, kUnused, kByte };

struct VocabularyToken {
  std::string text;   // as the vocabulary writes it: spaces may be U+2581, bytes characters of the byte alphabet
  std::string bytes;  // what it decodes to; see FillBytes
  float score = 0;
  TokenType type = TokenType::kNormal;
  bool ends_generation = false;
};

// What a model family assumes where its file does not say.
struct VocabularyDefaults {
  std::optional<TokenId> bos;
  std::optional<TokenId> eos;
  std::optional<TokenId> unknown;
  bool add_bos = false;
  bool needs_scores_and_types = false;
};

// The tokens of a model and those among them that have a meaning of their own. Not copyable: `ids` borrows from
// `tokens`.
struct Vocabulary {
  Vocabulary() = default;
  Vocabulary(Vocabulary&&) = default;
  Vocabulary& operator=(Vocabulary&&) = default;

  // The keys tokenizer.ggml.*. Everything that a tokenizer later indexes with is checked here; errors name key and
  // index.
  static absl::StatusOr<Vocabulary> Read(const GgufMetadata& metadata, const VocabularyDefaults& defaults);

  // Fills `ids` from `tokens`, which keep their place from then on. Empty texts have no id. An error names both tokens
  // of a duplicate.
  absl::Status IndexTexts();
  // Fills each token's `bytes`: what `decode` makes of the text of an ordinary one, a byte token's byte, and what was
  // added as it is written.
  void FillBytes(const std::function<std::string(const std::string& text)>& decode);
  // Marks EOS and every token whose text is one that models are known to end a turn or message with; those become
  // control tokens, as some files forget to say.
  void MarkEndOfGeneration();

  std::optional<TokenId> Find(std::string_view text) const;

  std::vector<VocabularyToken> tokens;
  absl::flat_hash_map<absl::string_view, TokenId> ids;  // by text
  std::optional<TokenId> bos;
  std::optional<TokenId> eos;
  std::optional<TokenId> unknown;
  bool add_bos = false;
  bool add_eos = false;
};

// The byte that a token of type kByte stands for ("<0x0A>"); nothing if it is not written so.
std::optional<uint8_t> ParseByteToken(std::string_view text);

}  // namespace enigma::engine
