#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/corpus/document.h"
#include "engine/text/tokenizer.h"

namespace enigma::engine {

struct EncodedDocument {
  std::vector<TokenId> ids;
  std::vector<uint8_t> trained;  // one per id: 1 where it is to be learned
};

// Documents to token ids as a model meets them when it is asked: what is read is tokenised as prompts are, what is
// learned as what it writes behind them. Borrows the tokenizer. Thread-safe.
class DocumentEncoder {
 public:
  // InvalidArgument when the vocabulary has no end token: the model could not learn to stop.
  static absl::StatusOr<DocumentEncoder> Create(const Tokenizer& tokenizer, bool train_on_prompts);

  // The begin token where the vocabulary asks for one, the segments, and the end token, which is learned. An answer in
  // a conversation ends with the first token that ends generation; what the template writes behind it is only read.
  // Tokens behind the last to be learned are left out. Empty when nothing is to be learned.
  EncodedDocument Encode(const Document& document) const;

 private:
  DocumentEncoder(const Tokenizer& tokenizer, bool train_on_prompts);

  std::vector<TokenId> EncodeText(const Document& document, std::vector<size_t>& ends) const;
  std::optional<std::vector<size_t>> FindEnds(const std::vector<TokenId>& ids, std::string_view text,
                                              const Document& document) const;
  std::vector<TokenId> EncodeContinuation(const std::string& text, TokenizeOptions options) const;

  const Tokenizer* tokenizer_;
  bool train_on_prompts_;
  std::optional<TokenId> begin_;
  TokenId end_ = 0;
};

}  // namespace enigma::engine
