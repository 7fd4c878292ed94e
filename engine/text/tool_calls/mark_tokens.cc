#include "engine/text/tool_calls/mark_tokens.h"

#include <algorithm>

namespace enigma::engine {
namespace {

std::vector<TokenId> TokensOf(const Tokenizer& tokenizer, std::string_view marks) {
  return tokenizer.Encode(marks, {.add_special = false, .parse_special = true});
}

}  // namespace

std::vector<TokenId> MarkTokens(const Tokenizer& tokenizer, std::string_view marks) {
  std::vector<TokenId> tokens;
  for (const TokenId id : TokensOf(tokenizer, marks)) {
    const bool known = std::find(tokens.begin(), tokens.end(), id) != tokens.end();
    if (!known && tokenizer.IsControl(id) && !tokenizer.IsEndOfGeneration(id)) tokens.push_back(id);
  }
  return tokens;
}

std::string BeforeEndOfGeneration(const Tokenizer& tokenizer, std::string_view mark) {
  for (const TokenId id : TokensOf(tokenizer, mark)) {
    if (!tokenizer.IsEndOfGeneration(id)) continue;
    const std::string text = tokenizer.TokenBytes(id, /*render_special=*/true);
    return std::string(mark.substr(0, mark.find(text)));
  }
  return std::string(mark);
}

}  // namespace enigma::engine
