#include "base/utf8.h"
#include "engine/text/tokenizer.h"

namespace enigma::engine {

Detokenizer::Detokenizer(const Tokenizer& tokenizer, bool continuation, bool render_special)
    : tokenizer_(tokenizer),
      render_special_(render_special),
      drop_space_(!continuation && tokenizer.StripsLeadingSpace()) {}

std::string Detokenizer::Add(TokenId id) {
  std::string bytes = tokenizer_.TokenBytes(id, render_special_);
  if (drop_space_ && !bytes.empty()) {
    if (bytes.front() == ' ') bytes.erase(0, 1);
    drop_space_ = false;
  }
  pending_ += bytes;

  std::string text;
  std::string_view rest = pending_;
  while (!rest.empty()) {
    const size_t valid = ValidUtf8Prefix(rest);
    text += rest.substr(0, valid);
    rest.remove_prefix(valid);
    if (rest.empty()) break;
    const Utf8Step step = ReadUtf8(rest);
    if (step.kind == Utf8Step::Kind::kUnfinished) break;
    text += kReplacementCharacter;
    rest.remove_prefix(step.length);
  }
  pending_.erase(0, pending_.size() - rest.size());
  return text;
}

std::string Detokenizer::Finish() {
  if (pending_.empty()) return "";
  pending_.clear();
  return std::string(kReplacementCharacter);  // what is held back is always the beginning of one character
}

std::string Decode(const Tokenizer& tokenizer, const std::vector<TokenId>& ids, bool render_special) {
  Detokenizer detokenizer(tokenizer, /*continuation=*/false, render_special);
  std::string text;
  for (const TokenId id : ids) text += detokenizer.Add(id);
  return text + detokenizer.Finish();
}

}  // namespace enigma::engine
