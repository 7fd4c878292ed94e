#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "engine/text/special_matcher.h"
#include "engine/text/tokenizer.h"
#include "engine/text/vocabulary.h"

namespace enigma::engine {

// What every tokenizer with a vocabulary does alike: cut special tokens out of the text, put BOS before and EOS after,
// look tokens up. How plain text becomes tokens is left to the kinds of tokenizer.
//
// Special tokens are found from left to right, the longest first where several begin: user-defined ones always, control
// and unknown ones only with parse_special.
class VocabularyTokenizer : public Tokenizer {
 public:
  explicit VocabularyTokenizer(Vocabulary vocabulary);

  std::vector<TokenId> Encode(std::string_view text, TokenizeOptions options) const final;
  std::string TokenBytes(TokenId id, bool render_special) const final;
  uint32_t vocab_size() const final { return static_cast<uint32_t>(vocabulary_.tokens.size()); }
  std::optional<TokenId> bos() const final { return vocabulary_.bos; }
  std::optional<TokenId> eos() const final { return vocabulary_.eos; }
  bool IsControl(TokenId id) const final;
  bool IsEndOfGeneration(TokenId id) const final;

 protected:
  // The working memory of one Encode call.
  class PlainTextEncoder {
   public:
    virtual ~PlainTextEncoder() = default;
    // Appends the tokens of `text`, which is not empty, holds no special token and outlives the encoder.
    // `after_special`: it stands at the very beginning or behind a special token.
    virtual void Encode(std::string_view text, bool after_special, std::vector<TokenId>& ids) = 0;
  };
  virtual std::unique_ptr<PlainTextEncoder> NewEncoder() const = 0;

  const Vocabulary& vocabulary() const { return vocabulary_; }

 private:
  const VocabularyToken* Token(TokenId id) const;  // nullptr when there is none

  Vocabulary vocabulary_;
  SpecialMatcher user_defined_;
  SpecialMatcher all_special_;
};

}  // namespace enigma::engine
