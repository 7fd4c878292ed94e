#include "engine/text/character_vocabulary.h"

#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/container/flat_hash_set.h>
#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/text.h"
#include "base/utf8.h"

namespace enigma::engine {
namespace {

constexpr uint64_t kWordCountMin = 2;

// Those of more than one byte, in the order of their code points.
std::set<std::string, std::less<>> WideCharacters(const WordCounts& words) {
  std::set<std::string, std::less<>> characters;
  for (const auto& [word, count] : words) {
    for (std::string_view rest = word; !rest.empty();) {
      const Utf8Step step = ReadUtf8(rest);
      const std::string_view character = rest.substr(0, step.length);
      if (step.kind == Utf8Step::Kind::kCharacter && step.length > 1 && !characters.contains(character)) {
        characters.emplace(character);
      }
      rest.remove_prefix(step.length);
    }
  }
  return characters;
}

// Adds merges and tokens that lead from the bytes to each character.
void AddCharacters(const std::set<std::string, std::less<>>& characters, LearnedVocabulary& vocabulary) {
  const std::array<TokenId, kByteTokenCount> byte_ids = ByteTokenIds();
  absl::flat_hash_map<std::string, TokenId> beginnings;
  for (const std::string& character : characters) {
    TokenId left = byte_ids[static_cast<uint8_t>(character[0])];
    for (size_t size = 2; size <= character.size(); ++size) {
      const auto next = static_cast<TokenId>(vocabulary.tokens.size());
      const auto [token, added] = beginnings.try_emplace(character.substr(0, size), next);
      if (added) {
        vocabulary.merges.push_back({left, byte_ids[static_cast<uint8_t>(character[size - 1])]});
        vocabulary.tokens.push_back(token->first);
      }
      left = token->second;
    }
  }
}

bool IsDictionaryWord(std::string_view piece) {
  if (ValidUtf8Prefix(piece) != piece.size() || ReadUtf8(piece).length == piece.size()) return false;
  return std::any_of(piece.begin(), piece.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<uint8_t>(c) >= 0x80;
  });
}

// The most frequent first.
std::vector<std::string_view> DictionaryWords(const WordCounts& words) {
  std::vector<std::pair<uint64_t, std::string_view>> ranked;
  for (const auto& [word, count] : words) {
    if (count >= kWordCountMin && IsDictionaryWord(word)) ranked.emplace_back(count, word);
  }
  std::sort(ranked.begin(), ranked.end(),
            [](const auto& a, const auto& b) { return a.first != b.first ? a.first > b.first : a.second < b.second; });
  std::vector<std::string_view> made;
  made.reserve(ranked.size());
  for (const auto& [count, word] : ranked) made.push_back(word);
  return made;
}

}  // namespace

absl::StatusOr<LearnedVocabulary> BuildCharacterVocabulary(const WordCounts& words,
                                                           const CharacterVocabularyOptions& options) {
  if (words.empty()) return absl::InvalidArgumentError("there is no text to learn a vocabulary from");
  LearnedVocabulary made;
  made.tokens = ByteTokens();
  const auto characters = WideCharacters(words);
  AddCharacters(characters, made);
  const uint64_t needed = made.tokens.size() + options.words.value_or(0);
  if (needed > options.token_count_max) {
    return absl::InvalidArgumentError(
        absl::StrCat("a vocabulary of ", options.token_count_max, " tokens beside the special ones is too small: the ",
                     kByteTokenCount, " bytes, ", characters.size(),
                     " characters beyond ASCII with the beginnings that lead to them",
                     options.words ? absl::StrCat(", and ", *options.words, " words") : "", " need ", needed));
  }
  // A character of several bytes is a token already, and no word.
  const std::vector<std::string_view> ranked = DictionaryWords(words);
  const size_t room = options.token_count_max - made.tokens.size();
  const size_t count = std::min<size_t>(ranked.size(), options.words.value_or(static_cast<uint32_t>(room)));
  made.tokens.insert(made.tokens.end(), ranked.begin(), ranked.begin() + static_cast<std::ptrdiff_t>(count));
  return made;
}

}  // namespace enigma::engine
