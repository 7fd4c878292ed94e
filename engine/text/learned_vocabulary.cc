#include "engine/text/learned_vocabulary.h"

#include <algorithm>
#include <cstdint>

#include "engine/text/byte_alphabet.h"

namespace enigma::engine {

std::vector<std::string> ByteTokens() {
  std::vector<std::string> tokens;
  tokens.reserve(kByteTokenCount);
  for (size_t byte = 0; byte < kByteTokenCount; ++byte) tokens.emplace_back(1, static_cast<char>(byte));
  std::sort(tokens.begin(), tokens.end(), [](const std::string& a, const std::string& b) {
    return ByteToAlphabet(static_cast<uint8_t>(a[0])) < ByteToAlphabet(static_cast<uint8_t>(b[0]));
  });
  return tokens;
}

std::array<TokenId, kByteTokenCount> ByteTokenIds() {
  std::array<TokenId, kByteTokenCount> ids{};
  const std::vector<std::string> tokens = ByteTokens();
  for (size_t id = 0; id < tokens.size(); ++id) ids[static_cast<uint8_t>(tokens[id][0])] = static_cast<TokenId>(id);
  return ids;
}

}  // namespace enigma::engine
