#include "engine/sampling/candidates.h"

#include <algorithm>

#include "engine/kernels/exact_math.h"

namespace enigma::engine {
namespace {

// exp(x) for x <= 0; what is below 1e-304 counts as nothing.
double Decay(double x) { return x > -700.0 ? ExactExp(x) : 0.0; }

}  // namespace

TokenId Argmax(std::span<const float> logits) {
  size_t best = 0;
  for (size_t i = 1; i < logits.size(); ++i) {
    if (logits[i] > logits[best]) best = i;
  }
  return static_cast<TokenId>(best);
}

void SelectTop(std::span<const float> logits, size_t count, std::vector<Candidate>& out) {
  out.clear();
  if (count == 0 || count >= logits.size()) {
    for (size_t i = 0; i < logits.size(); ++i) out.push_back({logits[i], static_cast<TokenId>(i)});
    return;
  }
  // A heap with the worst of the best in front: most tokens cost one comparison.
  for (size_t i = 0; i < logits.size(); ++i) {
    const Candidate candidate{logits[i], static_cast<TokenId>(i)};
    if (out.size() < count) {
      out.push_back(candidate);
      std::push_heap(out.begin(), out.end(), Better);
    } else if (Better(candidate, out.front())) {
      std::pop_heap(out.begin(), out.end(), Better);
      out.back() = candidate;
      std::push_heap(out.begin(), out.end(), Better);
    }
  }
  std::sort_heap(out.begin(), out.end(), Better);
}

double Weigh(float best, double temperature, std::vector<Candidate>& candidates) {
  const double inverse = 1.0 / temperature;
  double total = 0.0;
  for (Candidate& candidate : candidates) {
    candidate.weight = Decay((static_cast<double>(candidate.logit) - static_cast<double>(best)) * inverse);
    total += candidate.weight;
  }
  return total;
}

void KeepTopP(double top_p, double total, bool sorted, std::vector<Candidate>& candidates) {
  const double wanted = top_p * total;
  double gathered = 0.0;
  size_t ready = sorted ? candidates.size() : 0;  // the first `ready` are in their final order
  for (size_t i = 0; i < candidates.size(); ++i) {
    if (i == ready) {
      ready = std::min(candidates.size(), std::max<size_t>(64, ready * 4));
      const auto first = candidates.begin() + static_cast<ptrdiff_t>(i);
      const auto last = candidates.begin() + static_cast<ptrdiff_t>(ready);
      if (last != candidates.end()) std::nth_element(first, last, candidates.end(), Better);
      std::sort(first, last, Better);
    }
    gathered += candidates[i].weight;
    if (gathered >= wanted) {
      candidates.resize(i + 1);
      return;
    }
  }
}

void KeepMinP(double min_p, std::vector<Candidate>& candidates) {
  std::erase_if(candidates, [min_p](const Candidate& candidate) { return candidate.weight < min_p; });
}

double LogSumExp(std::span<const float> logits) {
  const float best = *std::max_element(logits.begin(), logits.end());
  double sum = 0.0;
  for (const float logit : logits) sum += Decay(static_cast<double>(logit) - static_cast<double>(best));
  return static_cast<double>(best) + ExactLog(sum);
}

}  // namespace enigma::engine
