#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace enigma::engine {

// Element types of stored tensors; the numbers are those of the GGUF format (ggml_type).
enum class DType : uint32_t {
  kF32 = 0,
  kF16 = 1,
  kQ4_0 = 2,
  kQ4_1 = 3,
  kQ5_0 = 6,
  kQ5_1 = 7,
  kQ8_0 = 8,
  kQ4_K = 12,
  kQ5_K = 13,
  kQ6_K = 14,
  kBF16 = 30,
};

struct DTypeTraits {
  const char* name;         // as commands and messages spell it: "q4_k"
  uint32_t block_elements;  // elements that share scales; rows are whole numbers of blocks
  uint32_t block_bytes;
};

// Null for a number that is none of the types above.
const DTypeTraits* FindTraits(uint32_t gguf_type);
const DTypeTraits& Traits(DType type);
std::optional<DType> DTypeFromName(std::string_view name);

// Bytes of a row of `elements`, which must be a multiple of the block.
inline uint64_t RowBytes(DType type, uint64_t elements) {
  return elements / Traits(type).block_elements * Traits(type).block_bytes;
}

}  // namespace enigma::engine
