#include "engine/text/bpe_trainer.h"

#include <queue>
#include <string>
#include <utility>
#include <vector>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/text/pair_index.h"

namespace enigma::engine {
namespace {

// A pair and what it counted when it was queued: an upper bound, because counts of old pairs only fall.
struct Candidate {
  uint64_t count;
  TokenPair pair;
};

class MergeQueue {
 public:
  // `tokens` outlives the queue.
  explicit MergeQueue(const std::vector<std::string>& tokens) : heap_(Before{&tokens}) {}

  bool empty() const { return heap_.empty(); }
  void Push(Candidate candidate) { heap_.push(candidate); }
  Candidate Pop() {
    const Candidate best = heap_.top();
    heap_.pop();
    return best;
  }

 private:
  // As a max-heap's order: the "greatest" is merged next. Bytes compare as unsigned numbers.
  struct Before {
    const std::vector<std::string>* tokens;
    bool operator()(const Candidate& a, const Candidate& b) const {
      if (a.count != b.count) return a.count < b.count;
      const int left = (*tokens)[a.pair.left].compare((*tokens)[b.pair.left]);
      if (left != 0) return left < 0;
      return (*tokens)[a.pair.right] < (*tokens)[b.pair.right];
    }
  };
  std::priority_queue<Candidate, std::vector<Candidate>, Before> heap_;
};

class Training {
 public:
  Training(PairIndex index, const BpeTrainerOptions& options) : index_(std::move(index)), options_(options) {
    made_.tokens = ByteTokens();
    made_.tokens.reserve(options.token_count);
  }

  LearnedVocabulary Run() {
    const uint64_t wanted = options_.token_count - kByteTokenCount;
    for (const TokenPair pair : index_.Pairs()) Queue(pair);
    std::vector<TokenPair> created;
    while (made_.merges.size() < wanted && !queue_.empty()) {
      const Candidate best = queue_.Pop();
      const uint64_t count = index_.Count(best.pair);
      if (count != best.count) {  // others took some of its places since
        Queue(best.pair);
        continue;
      }
      // No two merges make the same bytes. What happens inside a token before it is whole depends on its bytes alone,
      // so the pair that completes them is the same wherever they stand.
      const auto merged = static_cast<TokenId>(made_.tokens.size());
      made_.tokens.push_back(made_.tokens[best.pair.left] + made_.tokens[best.pair.right]);
      made_.merges.push_back({best.pair.left, best.pair.right});
      created.clear();
      index_.Merge(best.pair, merged, created);
      for (const TokenPair pair : created) Queue(pair);
      if (options_.progress) options_.progress(made_.merges.size(), wanted);
    }
    return std::move(made_);
  }

 private:
  void Queue(TokenPair pair) {
    const uint64_t count = index_.Count(pair);
    const size_t bytes = made_.tokens[pair.left].size() + made_.tokens[pair.right].size();
    if (count == 0 || count < options_.pair_count_min || bytes > options_.token_bytes_max) {
      index_.Forget(pair);
    } else {
      queue_.Push({count, pair});
    }
  }

  PairIndex index_;
  const BpeTrainerOptions& options_;
  LearnedVocabulary made_;
  MergeQueue queue_{made_.tokens};
};

}  // namespace

absl::StatusOr<LearnedVocabulary> TrainBpe(const WordCounts& words, const BpeTrainerOptions& options) {
  if (options.token_count < kByteTokenCount) {
    return absl::InvalidArgumentError(absl::StrCat("a vocabulary of ", options.token_count,
                                                   " tokens is too small: the bytes alone are ", kByteTokenCount));
  }
  if (words.empty()) return absl::InvalidArgumentError("there is no text to learn a vocabulary from");
  ENIGMA_ASSIGN_OR_RETURN(PairIndex index, PairIndex::Create(words));
  return Training(std::move(index), options).Run();
}

}  // namespace enigma::engine
