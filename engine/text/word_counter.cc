#include "engine/text/word_counter.h"

#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/text/pre_tokenizer_table.h"

namespace enigma::engine {
namespace {

// Long texts are cut into parts of this size and up to twice as much, so that their pieces do not all exist at once.
constexpr size_t kPartBytes = size_t{256} << 10;

bool IsAsciiLetter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Where the first part of `text` ends: before a space between two letters, where every pre-tokenizer cuts anyway.
// Where there is no such place, between any two characters.
size_t PartEnd(std::string_view text) {
  if (text.size() <= 2 * kPartBytes) return text.size();
  for (size_t at = kPartBytes; at < 2 * kPartBytes - 1; ++at) {
    if (text[at] == ' ' && IsAsciiLetter(text[at - 1]) && IsAsciiLetter(text[at + 1])) return at;
  }
  size_t at = kPartBytes;
  while (at < 2 * kPartBytes && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80) ++at;
  return at;
}

}  // namespace

WordCounter::WordCounter(std::unique_ptr<PreTokenizer> pre_tokenizer)
    : pre_tokenizer_(std::move(pre_tokenizer)), workspace_(*pre_tokenizer_) {}

absl::StatusOr<std::unique_ptr<WordCounter>> WordCounter::Create(std::string_view pre,
                                                                 const std::vector<std::string>& special_tokens) {
  const PreTokenizerRule* rule = FindPreTokenizerRule(pre);
  if (rule == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("pre-tokenizer '", ToAbsl(pre), "' is not known; known: ", PreTokenizerNames()));
  }
  ENIGMA_ASSIGN_OR_RETURN(auto pre_tokenizer, PreTokenizer::Create(rule->patterns));
  std::unique_ptr<WordCounter> made(new WordCounter(std::move(pre_tokenizer)));
  for (size_t i = 0; i < special_tokens.size(); ++i) {
    made->special_tokens_.Add(special_tokens[i], static_cast<TokenId>(i));
  }
  return made;
}

void WordCounter::Add(std::string_view text) {
  bytes_ += text.size();
  for (size_t at = 0; at < text.size();) {
    const auto match = special_tokens_.Find(text, at);
    AddPlain(text.substr(at, (match ? match->begin : text.size()) - at));
    if (!match) break;
    ++specials_;
    at = match->end;
  }
}

void WordCounter::AddPlain(std::string_view text) {
  while (!text.empty()) {
    const size_t end = PartEnd(text);
    pieces_.clear();
    pre_tokenizer_->Split(text.substr(0, end), workspace_, pieces_);
    for (const std::string_view piece : pieces_) ++words_[ToAbsl(piece)];
    text.remove_prefix(end);
  }
}

}  // namespace enigma::engine
