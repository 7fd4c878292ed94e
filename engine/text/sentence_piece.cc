#include "engine/text/sentence_piece.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"
#include "base/utf8.h"
#include "engine/text/piece_cache.h"

namespace enigma::engine {
namespace {

constexpr std::string_view kSpace = "\xE2\x96\x81";  // U+2581

std::string Unescape(std::string_view text) {
  std::string unescaped;
  while (!text.empty()) {
    const size_t space = std::min(text.find(kSpace), text.size());
    unescaped.append(text.substr(0, space));
    if (space == text.size()) break;
    unescaped.push_back(' ');
    text.remove_prefix(space + kSpace.size());
  }
  return unescaped;
}

bool IsMergeable(TokenType type) {
  return type == TokenType::kNormal || type == TokenType::kUserDefined || type == TokenType::kUnused;
}

bool HasSpaceBehindOther(std::string_view text) {
  bool other = false;
  while (!text.empty()) {
    const bool space = text.substr(0, kSpace.size()) == kSpace;
    if (space && other) return true;
    other = !space;
    text.remove_prefix(space ? kSpace.size() : 1);
  }
  return false;
}

}  // namespace

class SentencePieceTokenizer::Encoder : public PlainTextEncoder {
 public:
  explicit Encoder(const SentencePieceTokenizer& owner) : owner_(owner) {}

  void Encode(std::string_view text, bool after_special, std::vector<TokenId>& ids) override {
    bool prefix = owner_.add_space_prefix_ && after_special;
    while (!text.empty()) {
      const std::string_view word = text.substr(0, WordEnd(text));
      text.remove_prefix(word.size());
      if (prefix) {
        EncodeWord(word, /*prefix=*/true, ids);
        prefix = false;
        continue;
      }
      if (cache_.Repeat(word, ids)) continue;
      const size_t first = ids.size();
      EncodeWord(word, /*prefix=*/false, ids);
      cache_.Remember(word, first, ids);
    }
  }

 private:
  struct Symbol {
    size_t begin;
    size_t size;       // 0: merged into its left neighbour
    int32_t previous;  // -1: none
    int32_t next;      // -1: none
    TokenId token;     // -1: none
  };
  struct Candidate {
    float score;
    int32_t left;
    size_t size;  // of both symbols together
    TokenId token;
    // As a max-heap's order: the highest score is merged next, of equal ones the leftmost.
    bool operator<(const Candidate& other) const {
      return score != other.score ? score < other.score : left > other.left;
    }
  };

  // Words are spaces followed by other characters.
  size_t WordEnd(std::string_view text) const {
    if (!owner_.words_are_separate_) return text.size();
    const size_t other = text.find_first_not_of(' ');
    if (other == std::string_view::npos) return text.size();
    return std::min(text.find(' ', other), text.size());
  }

  void EncodeWord(std::string_view word, bool prefix, std::vector<TokenId>& ids) {
    escaped_.clear();
    if (prefix) escaped_ += kSpace;
    for (const char c : word) {
      if (c == ' ') {
        escaped_ += kSpace;
      } else {
        escaped_ += c;
      }
    }
    CutIntoCharacters();
    Merge();
    for (int32_t i = 0; i >= 0; i = symbols_[i].next) Append(symbols_[i], ids);
  }

  void CutIntoCharacters() {
    symbols_.clear();
    heap_.clear();
    for (size_t at = 0; at < escaped_.size();) {
      const std::string_view rest = std::string_view(escaped_).substr(at);
      const Utf8Step step = ReadUtf8(rest);
      const size_t size = step.kind == Utf8Step::Kind::kCharacter ? step.length : 1;
      const auto index = static_cast<int32_t>(symbols_.size());
      symbols_.push_back({at, size, index - 1, index + 1, owner_.Mergeable(rest.substr(0, size))});
      at += size;
    }
    symbols_.back().next = -1;
  }

  void Merge() {
    for (size_t i = 0; i < symbols_.size(); ++i) Consider(static_cast<int32_t>(i));
    while (!heap_.empty()) {
      std::pop_heap(heap_.begin(), heap_.end());
      const Candidate best = heap_.back();
      heap_.pop_back();
      Symbol& left = symbols_[best.left];
      // One of the two may have been merged with another neighbour since.
      if (left.size == 0 || left.next < 0 || left.size + symbols_[left.next].size != best.size) continue;
      Symbol& right = symbols_[left.next];
      left.size = best.size;
      left.token = best.token;
      right.size = 0;
      left.next = right.next;
      if (left.next >= 0) symbols_[left.next].previous = best.left;
      Consider(left.previous);
      Consider(best.left);
    }
  }

  void Consider(int32_t left) {
    if (left < 0 || symbols_[left].next < 0) return;
    const size_t size = symbols_[left].size + symbols_[symbols_[left].next].size;
    const TokenId token = owner_.Mergeable(std::string_view(escaped_).substr(symbols_[left].begin, size));
    if (token < 0) return;
    heap_.push_back({owner_.vocabulary().tokens[token].score, left, size, token});
    std::push_heap(heap_.begin(), heap_.end());
  }

  void Append(const Symbol& symbol, std::vector<TokenId>& ids) const {
    if (symbol.token >= 0) {
      ids.push_back(symbol.token);
      return;
    }
    const size_t first = ids.size();
    for (size_t i = symbol.begin; i < symbol.begin + symbol.size; ++i) {
      const TokenId byte_token = owner_.byte_tokens_[static_cast<uint8_t>(escaped_[i])];
      if (byte_token < 0) {
        ids.resize(first);
        if (owner_.vocabulary().unknown) ids.push_back(*owner_.vocabulary().unknown);
        return;
      }
      ids.push_back(byte_token);
    }
  }

  const SentencePieceTokenizer& owner_;
  PieceCache cache_;
  std::string escaped_;  // the word at work
  std::vector<Symbol> symbols_;
  std::vector<Candidate> heap_;
};

SentencePieceTokenizer::SentencePieceTokenizer(Vocabulary vocabulary, bool add_space_prefix)
    : VocabularyTokenizer(std::move(vocabulary)), add_space_prefix_(add_space_prefix) {
  byte_tokens_.fill(-1);
  words_are_separate_ = true;
  for (size_t i = 0; i < this->vocabulary().tokens.size(); ++i) {
    const VocabularyToken& token = this->vocabulary().tokens[i];
    if (token.type == TokenType::kByte) byte_tokens_[*ParseByteToken(token.text)] = static_cast<TokenId>(i);
    if (!IsMergeable(token.type)) continue;
    token_bytes_max_ = std::max(token_bytes_max_, token.text.size());
    if (HasSpaceBehindOther(token.text)) words_are_separate_ = false;
  }
}

TokenId SentencePieceTokenizer::Mergeable(std::string_view text) const {
  if (text.size() > token_bytes_max_) return -1;
  const std::optional<TokenId> id = vocabulary().Find(text);
  return id && IsMergeable(vocabulary().tokens[*id].type) ? *id : -1;
}

std::unique_ptr<VocabularyTokenizer::PlainTextEncoder> SentencePieceTokenizer::NewEncoder() const {
  return std::make_unique<Encoder>(*this);
}

absl::StatusOr<std::unique_ptr<Tokenizer>> SentencePieceTokenizer::FromGguf(const GgufMetadata& metadata) {
  const VocabularyDefaults defaults = {
      .bos = 1, .eos = 2, .unknown = 0, .add_bos = true, .needs_scores_and_types = true};
  ENIGMA_ASSIGN_OR_RETURN(Vocabulary vocabulary, Vocabulary::Read(metadata, defaults));
  vocabulary.FillBytes(Unescape);
  bool add_space_prefix = true;
  constexpr char kAddSpacePrefix[] = "tokenizer.ggml.add_space_prefix";
  if (metadata.Has(kAddSpacePrefix)) {
    ENIGMA_ASSIGN_OR_RETURN(add_space_prefix, metadata.Bool(kAddSpacePrefix));
  }
  return std::make_unique<SentencePieceTokenizer>(std::move(vocabulary), add_space_prefix);
}

}  // namespace enigma::engine
