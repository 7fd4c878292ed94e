#pragma once

#include <array>
#include <memory>

#include <absl/status/statusor.h>

#include "engine/spec/gguf.h"
#include "engine/text/merge_table.h"
#include "engine/text/pre_tokenizer.h"
#include "engine/text/vocabulary_tokenizer.h"

namespace enigma::engine {

// Byte-level BPE (GPT-2, Llama 3, Qwen 2, ...): patterns cut the text into pieces, the bytes of each piece are merged
// by rank. A byte that the vocabulary has no token for becomes the tokens of U+FFFD, else the unknown token, else
// nothing.
class BytePairTokenizer : public VocabularyTokenizer {
 public:
  // What the two file formats are read into.
  struct Parts {
    Vocabulary vocabulary;  // with `bytes` filled
    MergeTable merges;
    std::array<TokenId, 256> byte_tokens;  // -1: none
    std::unique_ptr<PreTokenizer> pre_tokenizer;
    bool ignore_merges = false;  // a piece that is a token is that token
  };
  explicit BytePairTokenizer(Parts parts);

  // The keys tokenizer.ggml.tokens, .merges and .pre. Errors name key and index.
  static absl::StatusOr<std::unique_ptr<Tokenizer>> FromGguf(const GgufMetadata& metadata);

  bool StripsLeadingSpace() const override { return false; }
  uint64_t pre_tokenizer_limit_hits() const override { return pre_tokenizer_->limit_hits(); }

 private:
  class Encoder;
  std::unique_ptr<PlainTextEncoder> NewEncoder() const override;
  std::vector<TokenId> ForMissingByte() const;

  MergeTable merges_;
  std::array<TokenId, 256> byte_tokens_;
  std::unique_ptr<PreTokenizer> pre_tokenizer_;
  // Whole pieces that are tokens, by their bytes; empty unless merges are ignored for them.
  absl::flat_hash_map<absl::string_view, TokenId> whole_pieces_;
  std::vector<TokenId> for_missing_byte_;
};

}  // namespace enigma::engine
