#include "worker/training/state_copy.h"

#include <cstring>

namespace enigma::worker {
namespace {

void CopyBuffer(const engine::AlignedBuffer<float>& from, engine::AlignedBuffer<float>& to) {
  if (to.size() != from.size()) to = engine::AlignedBuffer<float>(from.size());
  if (from.size() > 0) std::memcpy(to.data(), from.data(), from.size() * sizeof(float));
}

}  // namespace

void CopyState(const engine::TrainingState& from, engine::TrainingState& to) {
  to.step = from.step;
  to.tokens = from.tokens;
  to.exponents = from.exponents;
  CopyBuffer(from.weights, to.weights);
  CopyBuffer(from.first_moments, to.first_moments);
  CopyBuffer(from.second_moments, to.second_moments);
}

}  // namespace enigma::worker
