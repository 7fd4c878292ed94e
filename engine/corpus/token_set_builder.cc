#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>

#include "engine/corpus/token_set.h"
#include "engine/corpus/token_set_layout.h"
#include "engine/corpus/whole_file.h"

namespace enigma::engine {
namespace {

namespace layout = token_set_layout;

template <typename T>
void Store(T value, uint8_t* to) {
  std::memcpy(to, &value, sizeof value);
}

}  // namespace

TokenSetBuilder::TokenSetBuilder(const Tokenizer& tokenizer)
    : TokenSetBuilder(tokenizer.vocab_size(), VocabularyHash(tokenizer)) {}

TokenSetBuilder::TokenSetBuilder(uint32_t vocabulary_size, const Sha256& vocabulary_hash)
    : vocabulary_size_(vocabulary_size), vocabulary_hash_(vocabulary_hash) {}

absl::Status TokenSetBuilder::Add(TokenSet::Part part, std::span<const TokenId> ids, std::span<const uint8_t> trained) {
  if (ids.empty() || ids.size() != trained.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("a document of ", ids.size(), " tokens with ", trained.size(), " flags"));
  }
  for (const TokenId id : ids) {
    if (id < 0 || static_cast<uint32_t>(id) >= vocabulary_size_) {
      return absl::InvalidArgumentError(absl::StrCat("token ", id, " is none of the ", vocabulary_size_));
    }
  }
  Documents& documents = parts_[part == TokenSet::Part::kTraining ? 0 : 1];
  documents.ids.insert(documents.ids.end(), ids.begin(), ids.end());
  documents.trained.push_back(0);
  documents.trained.insert(documents.trained.end(), trained.begin() + 1, trained.end());
  documents.sizes.push_back(ids.size());
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const TokenSet>> TokenSetBuilder::Finish() {
  const Documents parts[2] = {std::move(parts_[0]), std::move(parts_[1])};
  parts_[0] = {};
  parts_[1] = {};
  const uint64_t documents = parts[0].sizes.size() + parts[1].sizes.size();
  const uint64_t tokens = parts[0].ids.size() + parts[1].ids.size();
  const uint32_t id_bytes = layout::IdBytes(vocabulary_size_);
  const layout::Sections sections = layout::Place(documents, tokens, id_bytes);

  std::vector<uint8_t> bytes(sections.end);
  std::copy(layout::kMagic.begin(), layout::kMagic.end(), bytes.begin());
  Store(layout::kVersion, bytes.data() + layout::kVersionAt);
  Store(id_bytes, bytes.data() + layout::kIdBytesAt);
  Store(vocabulary_size_, bytes.data() + layout::kVocabularyAt);
  Store(uint64_t{parts[0].sizes.size()}, bytes.data() + layout::kTrainingAt);
  Store(uint64_t{parts[1].sizes.size()}, bytes.data() + layout::kValidationAt);
  Store(tokens, bytes.data() + layout::kTokensAt);
  std::copy(vocabulary_hash_.begin(), vocabulary_hash_.end(), bytes.data() + layout::kVocabularyHashAt);

  uint64_t at = 0;
  uint8_t* offset = bytes.data() + layout::kHeaderBytes + sizeof at;  // the first is 0
  uint8_t* id = bytes.data() + sections.ids_at;
  for (const Documents& part : parts) {
    for (const uint64_t size : part.sizes) {
      at += size;
      Store(at, offset);
      offset += sizeof at;
    }
  }
  at = 0;
  for (const Documents& part : parts) {
    for (size_t i = 0; i < part.ids.size(); ++i, ++at, id += id_bytes) {
      if (id_bytes == 4) {
        Store(part.ids[i], id);
      } else {
        Store(static_cast<uint16_t>(part.ids[i]), id);
      }
      if (part.trained[i] != 0) bytes[sections.mask_at + at / 8] |= static_cast<uint8_t>(1u << at % 8);
    }
  }
  Sha256Hasher hasher;
  hasher.Update(bytes.data(), layout::kHashAt);
  hasher.Update(bytes.data() + layout::kHeaderBytes, bytes.size() - layout::kHeaderBytes);
  const Sha256 hash = hasher.Finish();
  std::copy(hash.begin(), hash.end(), bytes.data() + layout::kHashAt);
  return TokenSet::FromBytes(std::move(bytes), "the prepared corpus");
}

Sha256 VocabularyHash(const Tokenizer& tokenizer) {
  Sha256Hasher hasher;
  for (uint32_t i = 0; i < tokenizer.vocab_size(); ++i) {
    const auto id = static_cast<TokenId>(i);
    const std::string bytes = tokenizer.TokenBytes(id, /*render_special=*/true);
    uint8_t head[5] = {};
    Store(static_cast<uint32_t>(bytes.size()), head);
    head[4] = tokenizer.IsControl(id) ? 1 : 0;
    hasher.Update(head, sizeof head);
    hasher.Update(bytes.data(), bytes.size());
  }
  return hasher.Finish();
}

absl::Status WriteTokenSet(const TokenSet& set, const std::string& path) { return WriteWholeFile(set.bytes(), path); }

}  // namespace enigma::engine
