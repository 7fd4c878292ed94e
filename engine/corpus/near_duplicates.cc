#include "engine/corpus/near_duplicates.h"

#include <algorithm>
#include <utility>

#include <absl/strings/ascii.h>

#include "base/counter_random.h"
#include "base/utf8.h"

namespace enigma::engine {
namespace {

constexpr size_t kWordsPerShingle = 5;
// So that a corpus whose texts are all much alike stays near-linear: candidates of one band that are looked at, the
// latest first, and texts that one is compared with exactly, the most similar first.
constexpr size_t kCandidatesPerBandMax = 32;
constexpr size_t kComparisonsMax = 4;
// How far below the wanted share a signature's may lie before the texts are not compared: four standard deviations of
// 128 samples at a share of 0.9, three at 0.5.
constexpr double kSignatureSlack = 0.125;

constexpr uint64_t kFnvOffset = 0xCBF29CE484222325, kFnvPrime = 0x100000001B3;

// The finaliser of splitmix64 (Steele, Lea and Flood, 2014).
uint64_t Mix(uint64_t x) {
  x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9;
  x = (x ^ x >> 27) * 0x94D049BB133111EB;
  return x ^ x >> 31;
}

// Calls `word` with the hash of each.
template <typename Word>
void ForEachWord(std::string_view text, const Word& word) {
  uint64_t hash = kFnvOffset;
  bool in_word = false;
  const auto end_word = [&] {
    if (in_word) word(Mix(hash));
    hash = kFnvOffset;
    in_word = false;
  };
  for (size_t at = 0; at < text.size();) {
    const auto byte = static_cast<unsigned char>(text[at]);
    if (byte < 0x80) {
      ++at;
      if (!absl::ascii_isalnum(byte)) {
        end_word();
        continue;
      }
      hash = (hash ^ static_cast<unsigned char>(absl::ascii_tolower(byte))) * kFnvPrime;
      in_word = true;
      continue;
    }
    const size_t length = ReadUtf8(text.substr(at)).length;
    const bool alone = byte >= 0xE3 && length >= 3;  // U+3000 and on
    if (alone) end_word();
    for (size_t i = 0; i < length; ++i) hash = (hash ^ static_cast<unsigned char>(text[at + i])) * kFnvPrime;
    in_word = true;
    if (alone) end_word();
    at += length;
  }
  end_word();
}

struct HashFamily {
  std::array<uint64_t, 128> factor;
  std::array<uint64_t, 128> summand;
};

const HashFamily& Family() {
  static const HashFamily family = [] {
    HashFamily made;
    for (uint32_t i = 0; i < made.factor.size(); ++i) {
      const std::array<uint32_t, 4> bits = Philox({i, 0, 0, 0}, {0x6e656172, 0x64757065});
      made.factor[i] = (uint64_t{bits[0]} << 32 | bits[1]) | 1;
      made.summand[i] = uint64_t{bits[2]} << 32 | bits[3];
    }
    return made;
  }();
  return family;
}

double Power(double base, size_t exponent) {
  double power = 1;
  for (size_t i = 0; i < exponent; ++i) power *= base;
  return power;
}

// The longest bands, which have the fewest false candidates, that still find a pair of this share.
size_t RowsFor(double share, size_t hashes) {
  size_t rows = 1;
  for (size_t longer = 2; longer <= hashes / 2; longer *= 2) {
    const double missed = Power(1 - Power(share, longer), hashes / longer);
    if (missed <= 0.01) rows = longer;
  }
  return rows;
}

}  // namespace

Shingles ShinglesOf(std::string_view text) {
  Shingles shingles;
  std::array<uint64_t, kWordsPerShingle> last{};
  ForEachWord(text, [&](uint64_t word) {
    last[shingles.words++ % kWordsPerShingle] = word;
    if (shingles.words < kWordsPerShingle) return;
    uint64_t hash = 0;
    for (size_t i = 0; i < kWordsPerShingle; ++i) {
      hash = Mix(hash * kFnvPrime + last[(shingles.words + i) % kWordsPerShingle]);
    }
    shingles.hashes.push_back(hash);
  });
  std::sort(shingles.hashes.begin(), shingles.hashes.end());
  shingles.hashes.erase(std::unique(shingles.hashes.begin(), shingles.hashes.end()), shingles.hashes.end());
  return shingles;
}

double JaccardShare(const Shingles& a, const Shingles& b) {
  size_t both = 0;
  auto left = a.hashes.begin();
  auto right = b.hashes.begin();
  while (left != a.hashes.end() && right != b.hashes.end()) {
    if (*left == *right) {
      ++both;
      ++left;
      ++right;
    } else if (*left < *right) {
      ++left;
    } else {
      ++right;
    }
  }
  const size_t either = a.hashes.size() + b.hashes.size() - both;
  return either == 0 ? 0 : static_cast<double>(both) / static_cast<double>(either);
}

NearDuplicateIndex::NearDuplicateIndex(double share, size_t words_min, TextOf text_of)
    : share_(share),
      words_min_(std::max(words_min, kWordsPerShingle)),
      text_of_(std::move(text_of)),
      rows_(RowsFor(share, kHashes)) {}

std::vector<uint64_t> NearDuplicateIndex::BandKeys(const Signature& signature) const {
  std::vector<uint64_t> keys;
  for (size_t band = 0; band < kHashes / rows_; ++band) {
    uint64_t key = Mix(band + 1);
    for (size_t row = 0; row < rows_; ++row) key = Mix(key ^ signature[band * rows_ + row]);
    keys.push_back(key);
  }
  return keys;
}

std::vector<uint32_t> NearDuplicateIndex::Candidates(const Digest& digest, const std::vector<uint64_t>& keys) {
  ++lookups_;
  std::vector<std::pair<size_t, uint32_t>> candidates;  // hashes that differ, text
  for (const uint64_t key : keys) {
    const auto latest = latest_.find(key);
    if (latest == latest_.end()) continue;
    uint32_t entry = latest->second;
    for (size_t i = 0; entry != kNone && i < kCandidatesPerBandMax; ++i, entry = entries_[entry].previous) {
      const uint32_t text = entries_[entry].text;
      if (std::exchange(looked_up_[text], lookups_) == lookups_) continue;
      size_t different = 0;
      for (size_t h = 0; h < kHashes; ++h) different += digest[h] != digests_[text][h] ? 1 : 0;
      const double alike = static_cast<double>(kHashes - different) / kHashes;
      if (alike >= share_ - kSignatureSlack) candidates.emplace_back(different, text);
    }
  }
  std::sort(candidates.begin(), candidates.end());
  std::vector<uint32_t> texts;
  for (size_t i = 0; i < std::min(candidates.size(), kComparisonsMax); ++i) texts.push_back(candidates[i].second);
  return texts;
}

std::optional<uint32_t> NearDuplicateIndex::FindOrAdd(std::string_view text, uint32_t id) {
  const Shingles shingles = ShinglesOf(text);
  if (shingles.words < words_min_) return std::nullopt;
  Signature signature;
  signature.fill(~uint64_t{0});
  const HashFamily& family = Family();
  for (const uint64_t shingle : shingles.hashes) {
    for (size_t h = 0; h < kHashes; ++h) {
      signature[h] = std::min(signature[h], family.factor[h] * shingle + family.summand[h]);
    }
  }
  Digest digest;
  for (size_t h = 0; h < kHashes; ++h) digest[h] = static_cast<uint8_t>(Mix(signature[h]));
  const std::vector<uint64_t> keys = BandKeys(signature);
  for (const uint32_t candidate : Candidates(digest, keys)) {
    if (JaccardShare(shingles, ShinglesOf(text_of_(ids_[candidate]))) >= share_) return ids_[candidate];
  }

  const auto index = static_cast<uint32_t>(ids_.size());
  ids_.push_back(id);
  digests_.push_back(digest);
  looked_up_.push_back(0);
  for (const uint64_t key : keys) {
    const auto [latest, is_new] = latest_.try_emplace(key, kNone);
    entries_.push_back({index, latest->second});
    latest->second = static_cast<uint32_t>(entries_.size() - 1);
  }
  return std::nullopt;
}

}  // namespace enigma::engine
