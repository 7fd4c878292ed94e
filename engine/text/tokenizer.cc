#include "engine/text/tokenizer.h"

#include <absl/status/status.h>
#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/text/byte_pair.h"
#include "engine/text/sentence_piece.h"
#include "engine/text/tiktoken.h"

namespace enigma::engine {

absl::StatusOr<std::unique_ptr<Tokenizer>> Tokenizer::FromGguf(const GgufMetadata& metadata) {
  ENIGMA_ASSIGN_OR_RETURN(const std::string_view model, metadata.String("tokenizer.ggml.model"));
  if (model == "llama") return SentencePieceTokenizer::FromGguf(metadata);
  if (model == "gpt2") return BytePairTokenizer::FromGguf(metadata);
  return absl::UnimplementedError(
      absl::StrCat("tokenizer.ggml.model is '", absl::CHexEscape(ToAbsl(model.substr(0, 64))),
                   "', which is not supported; supported: llama (SentencePiece), gpt2 (byte-level BPE)"));
}

absl::StatusOr<std::unique_ptr<Tokenizer>> Tokenizer::FromTiktoken(std::string_view ranks, std::string_view pre,
                                                                   const std::vector<std::string>& special_tokens) {
  return ReadTiktoken(ranks, pre, special_tokens);
}

}  // namespace enigma::engine
