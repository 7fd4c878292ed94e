#pragma once

#include <array>
#include <memory>

#include <absl/status/statusor.h>

#include "engine/spec/gguf.h"
#include "engine/text/vocabulary_tokenizer.h"

namespace enigma::engine {

// SentencePiece's BPE as Llama 1 and 2, Mistral and Gemma use it: characters are merged to the token with the highest
// score until nothing merges; characters that are no token become the tokens of their bytes, else the unknown token,
// else nothing. Spaces are written U+2581, and text at the beginning or behind a special token gets one before it.
// Source: bpe_model.cc of https://github.com/google/sentencepiece
class SentencePieceTokenizer : public VocabularyTokenizer {
 public:
  // The keys tokenizer.ggml.tokens, .scores, .token_type and .add_space_prefix. Errors name key and index.
  static absl::StatusOr<std::unique_ptr<Tokenizer>> FromGguf(const GgufMetadata& metadata);

  SentencePieceTokenizer(Vocabulary vocabulary, bool add_space_prefix);

  bool StripsLeadingSpace() const override { return add_space_prefix_; }

 private:
  class Encoder;
  std::unique_ptr<PlainTextEncoder> NewEncoder() const override;
  // The token that `text` may be merged to; -1: none. Control and byte tokens are never made from text.
  TokenId Mergeable(std::string_view text) const;

  bool add_space_prefix_;
  // No token has a space behind something else, so no merge reaches over the beginning of a word.
  bool words_are_separate_;
  size_t token_bytes_max_ = 0;
  std::array<TokenId, 256> byte_tokens_;  // -1: none
};

}  // namespace enigma::engine
