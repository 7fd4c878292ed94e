#include "engine/model/hidden_pool.h"

#include <algorithm>

#include <absl/strings/str_cat.h>

#include "engine/spec/unit_length.h"

namespace enigma::engine {

uint32_t HiddenPool::Wants(uint32_t first, uint32_t count) const {
  if (pooling_ == Pooling::kMean) return count;
  return uint64_t{first} + count == tokens_ ? 1 : 0;
}

absl::Status HiddenPool::Add(uint32_t first, uint32_t count, std::span<const float> states) {
  if (first == 0) {
    added_ = 0;
    std::fill(sum_.begin(), sum_.end(), 0.0);
  }
  if (first != added_ || count > tokens_ - added_) {
    return absl::InvalidArgumentError(absl::StrCat("pooling: positions from ", first, ", ", count,
                                                   " of them, do not follow the ", added_, " of ", tokens_,
                                                   " that were there"));
  }
  const size_t width = sum_.size();
  if (states.size() != size_t{Wants(first, count)} * width) {
    return absl::InvalidArgumentError(
        absl::StrCat("pooling: ", states.size(), " numbers for ", Wants(first, count), " rows of ", width));
  }
  for (; !states.empty(); states = states.subspan(width)) {
    for (size_t i = 0; i < width; ++i) sum_[i] += static_cast<double>(states[i]);
  }
  added_ += count;
  return absl::OkStatus();
}

std::vector<float> HiddenPool::Embedding() const {
  const double rows = pooling_ == Pooling::kMean ? tokens_ : 1;
  std::vector<float> embedding(sum_.size());
  for (size_t i = 0; i < sum_.size(); ++i) embedding[i] = static_cast<float>(sum_[i] / rows);
  ScaleToUnitLength(embedding);
  return embedding;
}

}  // namespace enigma::engine
