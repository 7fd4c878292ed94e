#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <absl/status/status.h>

#include "engine/sampling/constraint/token_constraint.h"
#include "engine/sampling/constraint/trie_walk.h"
#include "engine/text/constraint/pushdown.h"

namespace enigma::engine {

// Follows one sequence through a constraint. Not thread-safe.
class TokenMatcher {
 public:
  explicit TokenMatcher(std::shared_ptr<const TokenConstraint> constraint);

  // Makes `mask` the tokens that may come next, those that end generation included where the output may end.
  // ResourceExhausted when that takes too much work or readings, FailedPrecondition when no token of the vocabulary
  // fits; `mask` is then unspecified.
  absl::Status FillMask(TokenBits& mask);
  // InvalidArgument for a token that FillMask would not allow; the matcher stays where it was.
  absl::Status Accept(TokenId id);

  bool MayEnd() const;
  // The output is complete and nothing can follow but a token that ends generation.
  bool MustEnd() const { return ended_ || (tops_.size() == 1 && tops_.front() == Pushdown::kOutside); }

 private:
  absl::Status AddStack(uint32_t top, uint64_t work_end, TokenBits& mask);
  uint32_t Below(uint32_t top) const;
  // The stacks as they stand in a text with calls, where all above may end; `free`: outside calls only.
  Pushdown::Stacks TextTops(bool free) const;

  const std::shared_ptr<const TokenConstraint> constraint_;  // kept alive, with its grammar, while sequences use it
  Pushdown pushdown_;
  Pushdown::Stacks tops_;
  TrieWalk walk_;
  bool ended_ = false;
};

}  // namespace enigma::engine
