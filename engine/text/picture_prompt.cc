#include "engine/text/picture_prompt.h"

#include "engine/text/given_row.h"

namespace enigma::engine {

std::vector<TokenId> PicturePrompt(const Tokenizer& tokenizer, size_t rows, std::string_view text, bool parse_special) {
  std::vector<TokenId> prompt;
  // Whether a begin token is put before a text is known to Encode alone.
  const std::vector<TokenId> probe = tokenizer.Encode("a", {.add_special = true});
  if (!probe.empty() && tokenizer.bos() == probe.front()) prompt.push_back(probe.front());
  prompt.insert(prompt.end(), rows, kGivenRow);
  if (text.empty()) return prompt;
  const std::vector<TokenId> ids = tokenizer.Encode(text, {.add_special = false, .parse_special = parse_special});
  prompt.insert(prompt.end(), ids.begin(), ids.end());
  return prompt;
}

}  // namespace enigma::engine
