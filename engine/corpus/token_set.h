#pragma once

#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "engine/spec/manifest.h"
#include "engine/text/tokenizer.h"

namespace enigma::engine {

// A prepared corpus: the token ids of every document, which of them are to be learned, and which documents are kept for
// validation. One block of bytes, so that it can be stored, sent, named by its hash and memory-mapped. Little-endian:
//
//   offset  bytes
//        0      8  "enigtoks"
//        8      4  version, 1
//       12      4  bytes of an id: 2 where the vocabulary has at most 65,536 tokens, else 4
//       16      4  tokens of the vocabulary
//       20      4  0
//       24      8  documents to train on
//       32      8  documents for validation
//       40      8  tokens
//       48     32  hash of the vocabulary (VocabularyHash)
//       80     32  SHA-256 of everything else: bytes 0 to 79, then those from 112 on
//      112         documents + 1 numbers of 8 bytes: where each document begins, and the number of tokens
//                  the ids; zeros up to a multiple of 8 bytes
//                  one bit per token, the lowest first: to be learned; zeros up to a multiple of 8 bytes
//
// Documents to train on come first. None is empty, and the first token of none is to be learned.
//
// Immutable, thread-safe. Shared, because loaders of several ranks and whoever sends it read the same one.
class TokenSet {
 public:
  enum class Part { kTraining, kValidation };

  ~TokenSet();
  TokenSet(const TokenSet&) = delete;
  TokenSet& operator=(const TokenSet&) = delete;

  // Maps a file, which must not change from then on. What is in it is checked whole, hash included. Errors name the
  // file and what is wrong with it.
  static absl::StatusOr<std::shared_ptr<const TokenSet>> Open(const std::string& path);
  // The same of bytes at hand; `name` is for messages.
  static absl::StatusOr<std::shared_ptr<const TokenSet>> FromBytes(std::vector<uint8_t> bytes, std::string_view name);

  // The whole of it as it is stored.
  std::span<const uint8_t> bytes() const { return bytes_; }
  const Sha256& hash() const { return hash_; }  // the one in the header
  uint32_t vocabulary_size() const { return vocabulary_size_; }
  const Sha256& vocabulary_hash() const { return vocabulary_hash_; }
  // FailedPrecondition when it was made with another vocabulary.
  absl::Status CheckVocabulary(const Tokenizer& tokenizer) const;

  // Documents of a part are [first_document, first_document + documents).
  uint64_t first_document(Part part) const { return part == Part::kTraining ? 0 : training_documents_; }
  uint64_t documents(Part part) const {
    return part == Part::kTraining ? training_documents_ : documents_ - training_documents_;
  }
  uint64_t documents() const { return documents_; }
  uint64_t tokens() const { return tokens_; }
  uint64_t tokens(Part part) const;
  uint64_t trained(Part part) const { return trained_[part == Part::kTraining ? 0 : 1]; }  // tokens to be learned

  // Tokens of `document` are [begin(document), begin(document + 1)).
  uint64_t begin(uint64_t document) const { return Load<uint64_t>(offsets_ + document * sizeof(uint64_t)); }
  uint64_t size(uint64_t document) const { return begin(document + 1) - begin(document); }
  TokenId Token(uint64_t at) const {
    return static_cast<TokenId>(wide_ ? Load<uint32_t>(ids_ + at * 4) : Load<uint16_t>(ids_ + at * 2));
  }
  bool IsTrained(uint64_t at) const { return (mask_[at / 8] >> (at % 8) & 1) != 0; }

 private:
  TokenSet() = default;
  absl::Status Parse(std::string_view name);
  absl::Status CheckContent(std::string_view name);

  template <typename T>
  static T Load(const uint8_t* from) {
    T value;
    std::memcpy(&value, from, sizeof value);
    return value;
  }

  std::vector<uint8_t> owned_;
  void* mapping_ = nullptr;
  std::span<const uint8_t> bytes_;  // owned_, or the mapping
  Sha256 hash_{};
  Sha256 vocabulary_hash_{};
  uint32_t vocabulary_size_ = 0;
  uint64_t training_documents_ = 0;
  uint64_t documents_ = 0;
  uint64_t tokens_ = 0;
  uint64_t trained_[2] = {0, 0};
  bool wide_ = false;
  const uint8_t* offsets_ = nullptr;
  const uint8_t* ids_ = nullptr;
  const uint8_t* mask_ = nullptr;
};

// Collects documents and makes a TokenSet of them. Not thread-safe.
class TokenSetBuilder {
 public:
  explicit TokenSetBuilder(const Tokenizer& tokenizer);
  // For tests and tools that have ids but no tokenizer.
  TokenSetBuilder(uint32_t vocabulary_size, const Sha256& vocabulary_hash);

  // `trained` holds one flag per id; that of the first is not used. InvalidArgument for an empty document, other
  // lengths, or an id outside the vocabulary.
  absl::Status Add(TokenSet::Part part, std::span<const TokenId> ids, std::span<const uint8_t> trained);
  // Leaves the builder empty.
  absl::StatusOr<std::shared_ptr<const TokenSet>> Finish();

 private:
  struct Documents {
    std::vector<uint32_t> ids;
    std::vector<uint8_t> trained;
    std::vector<uint64_t> sizes;
  };

  uint32_t vocabulary_size_;
  Sha256 vocabulary_hash_;
  Documents parts_[2];
};

// Over the bytes and the control flag of every token: two tokenizers with the same hash write the same ids for the same
// meaning.
Sha256 VocabularyHash(const Tokenizer& tokenizer);

// Writes beside `path` first and renames then, so that a file is there whole or not at all.
absl::Status WriteTokenSet(const TokenSet& set, const std::string& path);

}  // namespace enigma::engine
