#include "engine/sampling/constraint/vocabulary_trie.h"

#include <algorithm>
#include <numeric>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "engine/text/constraint/string_rule.h"

namespace enigma::engine {
namespace {

// The characters of a plain token; nothing for others.
std::optional<uint32_t> PlainCharacters(std::string_view bytes) {
  uint32_t characters = 0;
  StringPlace place = StringPlace::kCharacter;
  for (const char c : bytes) {
    if (c == '"' || c == '\\') return std::nullopt;
    place = NextPlace(place, static_cast<uint8_t>(c));
    if (place == StringPlace::kBad) return std::nullopt;
    if (place == StringPlace::kCharacter) ++characters;
  }
  return place == StringPlace::kCharacter ? std::optional(characters) : std::nullopt;
}

}  // namespace

VocabularyTrie::VocabularyTrie(const Tokenizer& tokenizer) : vocab_size_(tokenizer.vocab_size()) {
  std::vector<std::string> texts(vocab_size_);
  std::vector<TokenId> order;
  plain_up_to_.assign(kLevels + 1, TokenBits(words(), 0));
  silent_.assign(words(), 0);
  for (size_t i = 0; i < vocab_size_; ++i) {
    const auto id = static_cast<TokenId>(i);
    text_begin_.push_back(static_cast<uint32_t>(text_.size()));
    if (tokenizer.IsEndOfGeneration(id)) {
      end_tokens_.push_back(id);
      continue;
    }
    texts[i] = tokenizer.TokenBytes(id, /*render_special=*/false);
    if (texts[i].empty()) {
      SetToken(silent_, id);
      continue;
    }
    order.push_back(id);
    text_.insert(text_.end(), texts[i].begin(), texts[i].end());
    if (const auto characters = PlainCharacters(texts[i])) AddPlainToken(id, *characters);
  }
  text_begin_.push_back(static_cast<uint32_t>(text_.size()));
  std::sort(order.begin(), order.end(),
            [&](TokenId a, TokenId b) { return texts[a] != texts[b] ? texts[a] < texts[b] : a < b; });

  const auto add_node = [this](uint8_t byte) {
    bytes_.push_back(byte);
    ends_.push_back(0);
    first_token_.push_back(static_cast<uint32_t>(tokens_.size()));
    has_others_.push_back(0);
    return static_cast<uint32_t>(bytes_.size() - 1);
  };
  std::vector<uint32_t> path = {add_node(0)};
  const auto close_to = [&](size_t depth) {
    for (; path.size() > depth; path.pop_back()) ends_[path.back()] = size();
  };
  std::string_view previous;
  for (const TokenId id : order) {
    const std::string& text = texts[id];
    const auto shared = static_cast<size_t>(
        std::mismatch(previous.begin(), previous.end(), text.begin(), text.end()).first - previous.begin());
    close_to(shared + 1);
    for (size_t i = shared; i < text.size(); ++i) path.push_back(add_node(static_cast<uint8_t>(text[i])));
    tokens_.push_back(id);
    if (!IsPlain(id)) {
      for (const uint32_t node : path) has_others_[node] = 1;
    }
    previous = text;
  }
  close_to(0);
  first_token_.push_back(static_cast<uint32_t>(tokens_.size()));
}

void VocabularyTrie::AddPlainToken(TokenId id, uint32_t characters) {
  for (uint32_t level = characters; level < kLevels; ++level) SetToken(plain_up_to_[level], id);
  SetToken(plain_up_to_.back(), id);
  if (characters >= kLevels) long_plain_.emplace_back(characters, id);
}

void VocabularyTrie::AddPlain(uint32_t characters_max, TokenBits& bits) const {
  const TokenBits& level =
      characters_max == kUnlimited ? plain_up_to_.back() : plain_up_to_[std::min(characters_max, kLevels - 1)];
  for (size_t i = 0; i < level.size(); ++i) bits[i] |= level[i];
  if (characters_max == kUnlimited || characters_max < kLevels) return;
  for (const auto& [characters, id] : long_plain_) {
    if (characters <= characters_max) SetToken(bits, id);
  }
}

std::span<const uint8_t> VocabularyTrie::BytesOf(TokenId id) const {
  if (id < 0 || static_cast<size_t>(id) >= vocab_size_) return {};
  return std::span(text_).subspan(text_begin_[id], text_begin_[id + 1] - text_begin_[id]);
}

}  // namespace enigma::engine
