#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "engine/text/tokenizer.h"

namespace enigma::engine {

// A token that may be drawn. Ordered by logit, best first; ties go to the lower id.
struct Candidate {
  float logit;
  TokenId id;
  double weight = 0;  // proportional to its probability; filled by Weigh
};
inline bool Better(const Candidate& a, const Candidate& b) {
  return a.logit != b.logit ? a.logit > b.logit : a.id < b.id;
}

// The likeliest token.
TokenId Argmax(std::span<const float> logits);

// Fills `out` with the `count` best, best first (all of them when count is 0 or larger than there are; then in id
// order).
void SelectTop(std::span<const float> logits, size_t count, std::vector<Candidate>& out);

// Gives each the weight exp((logit - best) / temperature), the same bits on every machine. Returns the sum.
double Weigh(float best, double temperature, std::vector<Candidate>& candidates);

// Cuts `candidates` to the shortest best-first prefix whose weight is at least `top_p` of their `total`. Sorts no more
// of them than that prefix needs; `sorted`: they are in best-first order already.
void KeepTopP(double top_p, double total, bool sorted, std::vector<Candidate>& candidates);

// Drops those whose weight is below `min_p`; the best one's weight is 1.
void KeepMinP(double min_p, std::vector<Candidate>& candidates);

// Log of the sum over all tokens of exp(logit).
double LogSumExp(std::span<const float> logits);

}  // namespace enigma::engine
