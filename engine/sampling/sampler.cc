#include "engine/sampling/sampler.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "base/counter_random.h"
#include "engine/sampling/candidates.h"

namespace enigma::engine {

Sampler::Sampler(SamplingParams params, std::span<const TokenId> prompt, uint32_t choice)
    : params_(std::move(params)), choice_(choice) {
  if (params_.constraint != nullptr) matcher_.emplace(params_.constraint);
  if (params_.repetition_penalty == 1.0F) return;
  for (const TokenId id : prompt) seen_[id] = true;
}

void Sampler::Accept(TokenId id) {
  ++generated_[id];
  if (params_.repetition_penalty != 1.0F) seen_[id] = true;
  if (matcher_) constraint_status_.Update(matcher_->Accept(id));
}

void Sampler::ForbidTokens() {
  if (constraint_status_.ok()) constraint_status_ = matcher_->FillMask(allowed_);
  const VocabularyTrie& trie = params_.constraint->trie();
  if (!constraint_status_.ok()) {
    allowed_.assign(trie.words(), 0);
    for (const TokenId id : trie.end_tokens()) SetToken(allowed_, id);
  }
  constexpr float kImpossible = -std::numeric_limits<float>::infinity();
  // Rows of logits may be wider than the vocabulary.
  for (size_t begin = 0; begin < adjusted_.size(); begin += 64) {
    const uint64_t word = begin / 64 < allowed_.size() ? allowed_[begin / 64] : 0;
    if (word == ~uint64_t{0}) continue;
    const size_t end = std::min(adjusted_.size(), begin + 64);
    for (size_t i = begin; i < end; ++i) {
      if ((word >> (i - begin) & 1) == 0) adjusted_[i] = kImpossible;
    }
  }
}

std::span<const float> Sampler::Adjust(std::span<const float> logits) {
  const bool counts = !generated_.empty() && (params_.frequency_penalty != 0.0F || params_.presence_penalty != 0.0F);
  if (seen_.empty() && !counts && params_.logit_bias.empty() && !matcher_) return logits;
  adjusted_.assign(logits.begin(), logits.end());
  const auto known = [&](TokenId id) { return id >= 0 && static_cast<size_t>(id) < adjusted_.size(); };
  for (const auto& [id, unused] : seen_) {
    if (!known(id)) continue;
    float& logit = adjusted_[static_cast<size_t>(id)];
    logit = logit > 0.0F ? logit / params_.repetition_penalty : logit * params_.repetition_penalty;
  }
  if (counts) {
    for (const auto& [id, occurrences] : generated_) {
      if (!known(id)) continue;
      adjusted_[static_cast<size_t>(id)] -=
          static_cast<float>(occurrences) * params_.frequency_penalty + params_.presence_penalty;
    }
  }
  for (const auto& [id, bias] : params_.logit_bias) {
    if (known(id)) adjusted_[static_cast<size_t>(id)] += bias;
  }
  if (matcher_) ForbidTokens();
  return adjusted_;
}

TokenId Sampler::Draw(std::span<const float> logits, uint32_t position) {
  const float best = logits[static_cast<size_t>(Argmax(logits))];
  SelectTop(logits, params_.top_k, candidates_);
  const bool sorted = candidates_.size() < logits.size();
  const double weighed = Weigh(best, static_cast<double>(params_.temperature), candidates_);
  if (params_.top_p < 1.0F) KeepTopP(static_cast<double>(params_.top_p), weighed, sorted, candidates_);
  if (params_.min_p > 0.0F) KeepMinP(static_cast<double>(params_.min_p), candidates_);
  double total = 0.0;
  for (const Candidate& candidate : candidates_) total += candidate.weight;
  const double drawn = CounterUniform(params_.seed, choice_, position) * total;
  double gathered = 0.0;
  for (const Candidate& candidate : candidates_) {
    gathered += candidate.weight;
    if (gathered > drawn) return candidate.id;
  }
  return candidates_.back().id;  // not reached: the sums above are the same additions, and drawn < total
}

Sampler::Choice Sampler::Sample(std::span<const float> logits, uint32_t position) {
  const std::span<const float> adjusted = Adjust(logits);
  Choice choice;
  choice.id = params_.temperature == 0.0F ? Argmax(adjusted) : Draw(adjusted, position);
  if (params_.top_logprobs == 0) return choice;
  const double normaliser = LogSumExp(logits);
  const auto logprob = [&](float logit) { return static_cast<float>(static_cast<double>(logit) - normaliser); };
  choice.logprob = logprob(logits[static_cast<size_t>(choice.id)]);
  SelectTop(logits, params_.top_logprobs, candidates_);
  if (candidates_.size() == logits.size()) std::sort(candidates_.begin(), candidates_.end(), Better);
  for (const Candidate& candidate : candidates_) choice.top.emplace_back(candidate.id, logprob(candidate.logit));
  return choice;
}

}  // namespace enigma::engine
