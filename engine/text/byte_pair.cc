#include "engine/text/byte_pair.h"

#include <utility>

#include "base/text.h"
#include "base/utf8.h"
#include "engine/text/piece_cache.h"

namespace enigma::engine {

class BytePairTokenizer::Encoder : public PlainTextEncoder {
 public:
  explicit Encoder(const BytePairTokenizer& owner)
      : owner_(owner), workspace_(*owner.pre_tokenizer_), merger_(owner.merges_) {}

  void Encode(std::string_view text, bool /*after_special*/, std::vector<TokenId>& ids) override {
    pieces_.clear();
    owner_.pre_tokenizer_->Split(text, workspace_, pieces_);
    for (const std::string_view piece : pieces_) {
      if (cache_.Repeat(piece, ids)) continue;
      const size_t first = ids.size();
      EncodePiece(piece, ids);
      cache_.Remember(piece, first, ids);
    }
  }

 private:
  void EncodePiece(std::string_view piece, std::vector<TokenId>& ids) {
    if (!owner_.whole_pieces_.empty()) {
      const auto whole = owner_.whole_pieces_.find(ToAbsl(piece));
      if (whole != owner_.whole_pieces_.end()) {
        ids.push_back(whole->second);
        return;
      }
    }
    symbols_.clear();
    for (const char byte : piece) symbols_.push_back(owner_.byte_tokens_[static_cast<uint8_t>(byte)]);
    merger_.Apply(symbols_);
    for (const TokenId id : symbols_) {
      if (id >= 0) {
        ids.push_back(id);
      } else {
        ids.insert(ids.end(), owner_.for_missing_byte_.begin(), owner_.for_missing_byte_.end());
      }
    }
  }

  const BytePairTokenizer& owner_;
  PreTokenizer::Workspace workspace_;
  Merger merger_;
  PieceCache cache_;
  std::vector<std::string_view> pieces_;
  std::vector<TokenId> symbols_;
};

BytePairTokenizer::BytePairTokenizer(Parts parts)
    : VocabularyTokenizer(std::move(parts.vocabulary)),
      merges_(std::move(parts.merges)),
      byte_tokens_(parts.byte_tokens),
      pre_tokenizer_(std::move(parts.pre_tokenizer)),
      for_missing_byte_(ForMissingByte()) {
  if (!parts.ignore_merges) return;
  for (size_t i = 0; i < vocabulary().tokens.size(); ++i) {
    const VocabularyToken& token = vocabulary().tokens[i];
    if (token.type == TokenType::kNormal && !token.bytes.empty()) {
      whole_pieces_.try_emplace(token.bytes, static_cast<TokenId>(i));
    }
  }
}

std::vector<TokenId> BytePairTokenizer::ForMissingByte() const {
  std::vector<TokenId> ids;
  for (const char byte : kReplacementCharacter) ids.push_back(byte_tokens_[static_cast<uint8_t>(byte)]);
  for (const TokenId id : ids) {
    if (id < 0) return vocabulary().unknown ? std::vector<TokenId>{*vocabulary().unknown} : std::vector<TokenId>{};
  }
  Merger(merges_).Apply(ids);
  return ids;
}

std::unique_ptr<VocabularyTokenizer::PlainTextEncoder> BytePairTokenizer::NewEncoder() const {
  return std::make_unique<Encoder>(*this);
}

}  // namespace enigma::engine
