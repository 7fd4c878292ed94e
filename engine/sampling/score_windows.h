#pragma once

#include <cstdint>
#include <vector>

#include <absl/status/statusor.h>

namespace enigma::engine {

// A stretch of a text that a model reads in one go, as indices into the text's token ids. It reads the ids
// [first, end - 1), behind a begin token where there is one, and each id of [scored, end) is predicted from those that
// it has read before it.
struct ScoreWindow {
  uint64_t first = 0;
  uint64_t scored = 0;
  uint64_t end = 0;

  bool operator==(const ScoreWindow&) const = default;
};

// The windows of a text of `tokens` ids, none of which reads more than `context` tokens, the begin token included where
// `has_begin` says that each window opens with one. Every id is scored once; without a begin token the first one of the
// text has nothing before it and is not scored. A window begins where the one before it ended and scores `stride` ids
// (the first: as many as it can), so that each is predicted from at least context - stride tokens where the text has
// them. InvalidArgument unless 1 <= stride <= context, and for a text with nothing to score.
absl::StatusOr<std::vector<ScoreWindow>> ScoreWindows(uint64_t tokens, uint32_t context, uint32_t stride,
                                                      bool has_begin);

}  // namespace enigma::engine
