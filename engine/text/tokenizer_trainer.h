#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include <absl/status/statusor.h>

#include "engine/text/tokenizer.h"
#include "engine/text/tokenizer_file.h"
#include "engine/text/word_counter.h"

namespace enigma::engine {

enum class TokenizerKind {
  kBytePair,   // bpe_trainer.h
  kCharacter,  // character_vocabulary.h
};

struct TokenizerTrainerOptions {
  TokenizerKind kind = TokenizerKind::kBytePair;
  uint32_t vocab_size = 0;             // with special tokens; the result may be smaller where the text gives no more
  std::optional<uint32_t> words = {};  // kCharacter only: whole words; not given: what there is room for
  std::string pre = {};                // pre-tokenizer; empty: DefaultPreTokenizer
  SpecialTokens special_tokens = SpecialTokens::Standard({}, 16);
  bool add_bos = true;
  std::string chat_template = {};
  std::function<void(uint64_t made, uint64_t wanted)> progress = {};  // of merges; may be empty
};

// "qwen2" for byte pairs, "tekken" for characters. Under both every digit is a word of its own, so that numbers are
// written digit by digit and arithmetic can be learnt, and llama.cpp, which knows both names, gives texts back as they
// were; under "llama-bpe" it drops spaces before punctuation. Under "tekken" a word that is a token is taken whole
// (character_vocabulary.h).
const char* DefaultPreTokenizer(TokenizerKind kind);

// Makes a tokenizer from texts. Not thread-safe.
class TokenizerTrainer {
 public:
  // InvalidArgument names the option that is wrong: a vocabulary smaller than the 256 bytes and the special tokens, a
  // pre-tokenizer that is not known or, for characters, does not take whole words.
  static absl::StatusOr<std::unique_ptr<TokenizerTrainer>> Create(TokenizerTrainerOptions options);

  void Add(std::string_view text) { counter_->Add(text); }
  const WordCounter& counted() const { return *counter_; }

  // InvalidArgument: nothing was added, or the vocabulary is too small for the characters and words.
  absl::StatusOr<TokenizerFile> Train() const;

  // How many tokens the texts are with `tokenizer`, which was trained here; special tokens count one each.
  uint64_t CountTokens(const Tokenizer& tokenizer) const;

 private:
  TokenizerTrainer(TokenizerTrainerOptions options, std::unique_ptr<WordCounter> counter)
      : options_(std::move(options)), counter_(std::move(counter)) {}

  const TokenizerTrainerOptions options_;
  const std::unique_ptr<WordCounter> counter_;
};

}  // namespace enigma::engine
