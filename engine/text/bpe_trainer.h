#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include <absl/status/statusor.h>

#include "engine/text/learned_vocabulary.h"
#include "engine/text/word_counter.h"

namespace enigma::engine {

struct BpeTrainerOptions {
  uint32_t token_count = 0;      // bytes and merges together, without special tokens: at least 256
  uint64_t pair_count_min = 2;   // pairs that occur less often are not merged
  size_t token_bytes_max = 128;  // nor are those that would make longer tokens, such as lines of dashes
  std::function<void(uint64_t made, uint64_t wanted)> progress = {};  // of merges; may be empty
};

// Byte pair encoding (Sennrich et al., 2016) over bytes: the pair of neighbours within words that occurs most often
// becomes a token, again and again, until there are `token_count` tokens or no pair is left. Of pairs that occur
// equally often the one whose bytes are lexicographically greater goes first: by those of the left token, then of the
// right one. The result is a function of the counts alone. It has fewer tokens than asked for where the text gives no
// more. InvalidArgument: no words, or fewer than 256 tokens.
absl::StatusOr<LearnedVocabulary> TrainBpe(const WordCounts& words, const BpeTrainerOptions& options);

}  // namespace enigma::engine
