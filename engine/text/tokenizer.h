#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/spec/gguf.h"

namespace enigma::engine {

using TokenId = int32_t;

struct TokenizeOptions {
  bool add_special = false;    // prepend BOS / append EOS where the file's metadata asks for it
  bool parse_special = false;  // recognise control tokens (<|eot_id|>) in the text; else they are plain text
};

// Text to token ids and back. Immutable after creation; thread-safe.
class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  // `text` may hold any bytes; invalid UTF-8 is encoded byte by byte where the vocabulary can.
  virtual std::vector<TokenId> Encode(std::string_view text, TokenizeOptions options) const = 0;
  // The raw bytes of one token: possibly part of a character. Control tokens give "" unless `render_special`; so do ids
  // that are none of the vocabulary's, always.
  virtual std::string TokenBytes(TokenId id, bool render_special) const = 0;

  virtual uint32_t vocab_size() const = 0;
  virtual std::optional<TokenId> bos() const = 0;
  virtual std::optional<TokenId> eos() const = 0;
  virtual bool IsControl(TokenId id) const = 0;
  // End of sequence, of turn, or of message: generation stops here.
  virtual bool IsEndOfGeneration(TokenId id) const = 0;
  // SentencePiece vocabularies put a space before the first word; decoding a whole text drops it again.
  virtual bool StripsLeadingSpace() const = 0;
  // How often cutting a text into words ran into the bound on its work, so that a piece of fixed size was cut instead:
  // nothing is lost then, but the tokens may differ from those that the model was trained with.
  virtual uint64_t pre_tokenizer_limit_hits() const { return 0; }

  // By `tokenizer.ggml.model` ("llama" = SentencePiece, "gpt2" = byte-level BPE) and `tokenizer.ggml.pre`. An unknown
  // pre-tokenizer is an error that names it, never a silent default.
  static absl::StatusOr<std::unique_ptr<Tokenizer>> FromGguf(const GgufMetadata& metadata);
  // From a tiktoken-format ranks file (base64 token, space, rank per line) such as Llama 3's tokenizer.model, with the
  // named pre-tokenizer. Special tokens are appended after the ranks.
  static absl::StatusOr<std::unique_ptr<Tokenizer>> FromTiktoken(std::string_view ranks, std::string_view pre,
                                                                 const std::vector<std::string>& special_tokens);
};

// Turns ids into text piece by piece; bytes of an unfinished UTF-8 character are held back until it is complete, and
// become U+FFFD when it cannot be. One per stream; not thread-safe.
class Detokenizer {
 public:
  // `continuation`: the ids follow a prompt, so a leading space belongs to the text.
  explicit Detokenizer(const Tokenizer& tokenizer, bool continuation, bool render_special = false);
  std::string Add(TokenId id);  // text that became complete with this id; may be empty
  std::string Finish();         // what is still held back

 private:
  const Tokenizer& tokenizer_;
  const bool render_special_;
  bool drop_space_;      // the next byte, if it is a space, is the one that encoding put before the text
  std::string pending_;  // the beginning of a character
};

// All of `ids` at once, as a text of its own.
std::string Decode(const Tokenizer& tokenizer, const std::vector<TokenId>& ids, bool render_special = false);

}  // namespace enigma::engine
