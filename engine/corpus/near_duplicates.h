#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>

namespace enigma::engine {

// Hashes of the different word 5-grams of a text, sorted. Words are runs of letters and digits, without case; every
// character from U+3000 on is a word of its own, because those scripts put no spaces between words.
struct Shingles {
  size_t words = 0;
  std::vector<uint64_t> hashes;
};
Shingles ShinglesOf(std::string_view text);

// Size of what both have, over that of what either has.
double JaccardShare(const Shingles& a, const Shingles& b);

// Finds texts that are nearly those of earlier ones: MinHash signatures (Broder, "On the resemblance and containment of
// documents", 1997), cut into bands; texts that agree in one band are candidates, and the candidates that look similar
// by their signatures are compared exactly. The same on every machine. Not thread-safe.
class NearDuplicateIndex {
 public:
  // The text that was added under an id.
  using TextOf = std::function<std::string(uint32_t id)>;

  // `share` from 0.5 to 1. A pair with just that share is found with a probability of at least 0.99.
  NearDuplicateIndex(double share, size_t words_min, TextOf text_of);

  // The id of an earlier text that has at least `share` in common with this one. Else adds it under `id`; texts of
  // fewer than `words_min` words are never found nor added.
  std::optional<uint32_t> FindOrAdd(std::string_view text, uint32_t id);

 private:
  static constexpr size_t kHashes = 128;
  using Signature = std::array<uint64_t, kHashes>;
  using Digest = std::array<uint8_t, kHashes>;  // one byte of each, to keep
  struct Entry {
    uint32_t text;      // index into ids_ and digests_
    uint32_t previous;  // of the same band and hash; index into entries_, or kNone
  };
  static constexpr uint32_t kNone = ~0u;

  std::vector<uint64_t> BandKeys(const Signature& signature) const;
  // Indices of the texts that are most like it by their signatures, the best first; a few.
  std::vector<uint32_t> Candidates(const Digest& digest, const std::vector<uint64_t>& keys);

  double share_;
  size_t words_min_;
  TextOf text_of_;
  size_t rows_;  // of a band
  std::vector<uint32_t> ids_;
  std::vector<Digest> digests_;
  std::vector<uint64_t> looked_up_;  // by which look-up each text was met last
  uint64_t lookups_ = 0;
  std::vector<Entry> entries_;
  absl::flat_hash_map<uint64_t, uint32_t> latest_;  // by band and hash: index into entries_
};

}  // namespace enigma::engine
