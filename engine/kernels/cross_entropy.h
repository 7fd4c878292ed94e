#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/tensor/thread_pool.h"

namespace enigma::engine {

// losses[r] = log(sum_v exp(logits[r][v])) - logits[r][targets[r]], in nats; 0 where targets[r] is negative, which says
// that the row does not count. logits: [rows, vocab], row stride in floats; targets below vocab.
// The sum has sixteen parts over each stretch of 1024, the stretches are added in order in double, and the logarithm is
// ExactLog, so a row's bits depend on the row alone. A logit that is not finite makes its row's loss NaN.
void CrossEntropy(const float* logits, size_t stride, size_t rows, size_t vocab, const int32_t* targets, double* losses,
                  ThreadPool& pool);

// The same losses, and in place of the logits the gradient of their sum: softmax minus 1 at the target, 0 in rows that
// do not count, NaN in rows whose loss is NaN.
void CrossEntropyGradient(float* logits, size_t stride, size_t rows, size_t vocab, const int32_t* targets,
                          double* losses, ThreadPool& pool);

}  // namespace enigma::engine
