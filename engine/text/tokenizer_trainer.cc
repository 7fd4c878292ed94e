#include "engine/text/tokenizer_trainer.h"

#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/text/bpe_trainer.h"
#include "engine/text/character_vocabulary.h"
#include "engine/text/pre_tokenizer_table.h"

namespace enigma::engine {

const char* DefaultPreTokenizer(TokenizerKind kind) { return kind == TokenizerKind::kCharacter ? "tekken" : "qwen2"; }

absl::StatusOr<std::unique_ptr<TokenizerTrainer>> TokenizerTrainer::Create(TokenizerTrainerOptions options) {
  ENIGMA_RETURN_IF_ERROR(options.special_tokens.Check());
  const std::vector<std::string>& special = options.special_tokens.texts;
  const uint64_t size_min = kByteTokenCount + special.size();
  if (options.vocab_size < size_min) {
    return absl::InvalidArgumentError(absl::StrCat("a vocabulary of ", options.vocab_size,
                                                   " tokens is too small: ", kByteTokenCount, " bytes and ",
                                                   special.size(), " special tokens need ", size_min));
  }
  if (options.pre.empty()) options.pre = DefaultPreTokenizer(options.kind);
  ENIGMA_ASSIGN_OR_RETURN(auto counter, WordCounter::Create(options.pre, special));
  if (options.kind == TokenizerKind::kCharacter && !FindPreTokenizerRule(options.pre)->ignore_merges) {
    return absl::InvalidArgumentError(
        absl::StrCat("pre-tokenizer '", options.pre,
                     "' does not take words that are tokens whole, which a vocabulary of characters and words needs; "
                     "tekken and llama-bpe do"));
  }
  return std::unique_ptr<TokenizerTrainer>(new TokenizerTrainer(std::move(options), std::move(counter)));
}

absl::StatusOr<TokenizerFile> TokenizerTrainer::Train() const {
  TokenizerFile file;
  file.pre = options_.pre;
  file.special_tokens = options_.special_tokens;
  file.add_bos = options_.add_bos;
  file.chat_template = options_.chat_template;
  const auto plain_count = static_cast<uint32_t>(options_.vocab_size - file.special_tokens.texts.size());
  if (options_.kind == TokenizerKind::kCharacter) {
    ENIGMA_ASSIGN_OR_RETURN(file.vocabulary,
                            BuildCharacterVocabulary(counter_->words(), {plain_count, options_.words}));
    return file;
  }
  BpeTrainerOptions training;
  training.token_count = plain_count;
  training.progress = options_.progress;
  ENIGMA_ASSIGN_OR_RETURN(file.vocabulary, TrainBpe(counter_->words(), training));
  return file;
}

uint64_t TokenizerTrainer::CountTokens(const Tokenizer& tokenizer) const {
  uint64_t tokens = counter_->special_count();
  for (const auto& [word, count] : counter_->words()) tokens += count * tokenizer.Encode(word, {}).size();
  return tokens;
}

}  // namespace enigma::engine
