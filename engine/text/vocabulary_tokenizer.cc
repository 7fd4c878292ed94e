#include "engine/text/vocabulary_tokenizer.h"

#include <utility>

namespace enigma::engine {

VocabularyTokenizer::VocabularyTokenizer(Vocabulary vocabulary) : vocabulary_(std::move(vocabulary)) {
  for (size_t i = 0; i < vocabulary_.tokens.size(); ++i) {
    const VocabularyToken& token = vocabulary_.tokens[i];
    const auto id = static_cast<TokenId>(i);
    switch (token.type) {
      case TokenType::kUserDefined:
        user_defined_.Add(token.text, id);
        all_special_.Add(token.text, id);
        break;
      case TokenType::kControl:
      case TokenType::kUnknown:
        all_special_.Add(token.text, id);
        break;
      case TokenType::kNormal:
      case TokenType::kUnused:
      case TokenType::kByte:
        break;
    }
  }
}

std::vector<TokenId> VocabularyTokenizer::Encode(std::string_view text, TokenizeOptions options) const {
  std::vector<TokenId> ids;
  if (options.add_special && vocabulary_.add_bos) ids.push_back(*vocabulary_.bos);

  const SpecialMatcher& special = options.parse_special ? all_special_ : user_defined_;
  const std::unique_ptr<PlainTextEncoder> encoder = NewEncoder();
  bool after_special = true;
  for (size_t at = 0; at < text.size();) {
    const std::optional<SpecialMatcher::Match> match = special.Find(text, at);
    const size_t plain_end = match ? match->begin : text.size();
    if (plain_end > at) {
      encoder->Encode(text.substr(at, plain_end - at), after_special, ids);
      after_special = false;
    }
    if (match) {
      ids.push_back(match->id);
      after_special = true;
    }
    at = match ? match->end : text.size();
  }

  if (options.add_special && vocabulary_.add_eos) ids.push_back(*vocabulary_.eos);
  return ids;
}

const VocabularyToken* VocabularyTokenizer::Token(TokenId id) const {
  return id >= 0 && static_cast<size_t>(id) < vocabulary_.tokens.size() ? &vocabulary_.tokens[id] : nullptr;
}

std::string VocabularyTokenizer::TokenBytes(TokenId id, bool render_special) const {
  const VocabularyToken* token = Token(id);
  if (token == nullptr || (IsControl(id) && !render_special)) return "";
  return token->bytes;
}

bool VocabularyTokenizer::IsControl(TokenId id) const {
  const VocabularyToken* token = Token(id);
  return token != nullptr && (token->type == TokenType::kControl || token->type == TokenType::kUnknown);
}

bool VocabularyTokenizer::IsEndOfGeneration(TokenId id) const {
  const VocabularyToken* token = Token(id);
  return token != nullptr && token->ends_generation;
}

}  // namespace enigma::engine
