#include "engine/text/router_prompt.h"

#include <string>

#include "base/utf8.h"

namespace enigma::engine {
namespace {

// Bytes of a text that are looked at per token of room and end: more than tokens of running text ever have, so that a
// long text costs no more than one that just does not fit.
constexpr size_t kBytesPerToken = 16;

bool IsInsideCharacter(char c) { return (static_cast<unsigned char>(c) & 0xC0) == 0x80; }

// The text, or what stays of it where it is far too long.
std::string WithoutMiddle(std::string_view text, size_t end_bytes) {
  if (text.size() <= 2 * end_bytes) return std::string(text);
  size_t head = end_bytes;
  while (head > 0 && IsInsideCharacter(text[head])) --head;
  size_t tail = text.size() - end_bytes;
  while (tail < text.size() && IsInsideCharacter(text[tail])) ++tail;
  return std::string(text.substr(0, head)) + " " + std::string(text.substr(tail));
}

}  // namespace

std::vector<TokenId> RouterPrompt(const RouterSpec& router, const Tokenizer& tokenizer, std::string_view text,
                                  uint32_t tokens_max) {
  std::string prompt(router.PromptHead());
  prompt += WithoutMiddle(text, kBytesPerToken * tokens_max);
  prompt += router.PromptTail();
  std::vector<TokenId> ids = tokenizer.Encode(prompt, {.add_special = true, .parse_special = false});
  if (ids.size() > tokens_max) {
    const auto head = static_cast<std::ptrdiff_t>(tokens_max - tokens_max / 2);
    const auto cut = static_cast<std::ptrdiff_t>(ids.size() - tokens_max);
    ids.erase(ids.begin() + head, ids.begin() + head + cut);
  }
  return ids;
}

}  // namespace enigma::engine
