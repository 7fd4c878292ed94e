#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace enigma::engine::token_set_layout {

// Offsets of the header that TokenSet describes, and the sizes that follow from what it says.
inline constexpr std::string_view kMagic = "enigtoks";
inline constexpr uint32_t kVersion = 1;
inline constexpr size_t kVersionAt = 8;
inline constexpr size_t kIdBytesAt = 12;
inline constexpr size_t kVocabularyAt = 16;
inline constexpr size_t kReservedAt = 20;
inline constexpr size_t kTrainingAt = 24;
inline constexpr size_t kValidationAt = 32;
inline constexpr size_t kTokensAt = 40;
inline constexpr size_t kVocabularyHashAt = 48;
inline constexpr size_t kHashAt = 80;
inline constexpr size_t kHeaderBytes = 112;

constexpr uint32_t IdBytes(uint32_t vocabulary_size) { return vocabulary_size <= 65536 ? 2 : 4; }
constexpr uint64_t Padded(uint64_t bytes) { return (bytes + 7) / 8 * 8; }
constexpr uint64_t MaskBytes(uint64_t tokens) { return tokens / 8 + (tokens % 8 != 0 ? 1 : 0); }

struct Sections {
  uint64_t ids_at;
  uint64_t mask_at;
  uint64_t end;
};

// For counts that were found to be below 2^60.
constexpr Sections Place(uint64_t documents, uint64_t tokens, uint32_t id_bytes) {
  const uint64_t ids_at = kHeaderBytes + (documents + 1) * sizeof(uint64_t);
  const uint64_t mask_at = ids_at + Padded(tokens * id_bytes);
  return {ids_at, mask_at, mask_at + Padded(MaskBytes(tokens))};
}

}  // namespace enigma::engine::token_set_layout
