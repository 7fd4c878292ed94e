#include "benchmarks/training_kernels.h"

#include <cstdio>
#include <cstdlib>
#include <string>
#include <vector>

#include "benchmarks/typical_seconds.h"
#include "engine/kernels/adamw.h"
#include "engine/kernels/column_sums.h"
#include "engine/kernels/cross_entropy.h"
#include "engine/kernels/dropout.h"
#include "engine/kernels/embedding_backward.h"
#include "engine/kernels/fixed_point.h"
#include "engine/kernels/rope_backward.h"

namespace enigma::engine {
namespace {

constexpr size_t kParameters = 30'000'000;
constexpr size_t kTokens = 4096;

std::vector<float> Values(size_t count) {
  std::vector<float> values(count);
  for (size_t i = 0; i < count; ++i) values[i] = static_cast<float>(i * 2654435761U % 1000) / 5000.0F - 0.1F;
  return values;
}

// Prints what `call` takes to read and write `bytes`.
void Bench(double seconds, ThreadPool& pool, const std::string& name, size_t bytes, const std::function<void()>& call) {
  const double time = TypicalSeconds(seconds, pool.threads(), call);
  std::printf("%-28s threads %d  %8.0f us  %6.1f GB/s\n", name.c_str(), pool.threads(), time * 1e6,
              static_cast<double>(bytes) / time / 1e9);
}

void BenchParameters(double seconds, ThreadPool& pool) {
  const std::vector<float> gradient = Values(kParameters);
  std::vector<float> parameters = Values(kParameters);
  std::vector<float> first(kParameters);
  std::vector<float> second(kParameters);
  AdamWStep step;
  step.learning_rate = 1e-4F;
  step.weight_decay = 0.1F;
  Bench(seconds, pool, "adamw", kParameters * 28,
        [&] { AdamW(step, gradient.data(), kParameters, parameters.data(), first.data(), second.data(), pool); });
  std::vector<int64_t> sums(kParameters);
  constexpr int kExponent = 40;
  Bench(seconds, pool, "fixed point: add", kParameters * 20, [&] {
    if (AddFixedPoint(gradient.data(), kParameters, kExponent, sums.data(), pool) != 0) std::abort();
  });
  Bench(seconds, pool, "fixed point: to floats", kParameters * 12,
        [&] { FromFixedPoint(sums.data(), kParameters, kExponent, first.data(), pool); });
  double norm = 0;
  Bench(seconds, pool, "fixed point: squares", kParameters * 8,
        [&] { norm += SumOfSquares(sums.data(), kParameters, kExponent, pool); });
  Bench(seconds, pool, "fixed point: largest", kParameters * 8,
        [&] { norm += static_cast<double>(LargestMagnitude(sums.data(), kParameters, pool)); });
  if (norm == 0) std::abort();  // so that no sum is left out
}

void BenchCrossEntropy(double seconds, ThreadPool& pool, size_t vocab) {
  const size_t rows = (size_t{32} << 20) / vocab / 4;
  std::vector<float> logits = Values(rows * vocab);
  const std::vector<int32_t> targets(rows, 1);
  std::vector<double> losses(rows);
  Bench(seconds, pool, "cross entropy " + std::to_string(vocab), rows * vocab * 4,
        [&] { CrossEntropy(logits.data(), vocab, rows, vocab, targets.data(), losses.data(), pool); });
  Bench(seconds, pool, "cross entropy gradient " + std::to_string(vocab), rows * vocab * 8,
        [&] { CrossEntropyGradient(logits.data(), vocab, rows, vocab, targets.data(), losses.data(), pool); });
}

void BenchRope(double seconds, ThreadPool& pool, uint32_t head_dim, RopePairing pairing) {
  constexpr size_t kWidth = 512;
  RopeSpec spec;
  spec.dimensions = head_dim;
  const RopeTable table(spec, 512);
  std::vector<uint32_t> positions(kTokens);
  for (size_t t = 0; t < kTokens; ++t) positions[t] = static_cast<uint32_t>(t % 512);
  std::vector<float> x = Values(kTokens * kWidth);
  const std::string name = std::to_string(head_dim) + (pairing == RopePairing::kAdjacent ? " adjacent" : " halves");
  Bench(seconds, pool, "rope " + name, x.size() * 8,
        [&] { Rope(x.data(), kWidth, kTokens, kWidth / head_dim, head_dim, positions.data(), table, pairing, pool); });
  Bench(seconds, pool, "rope backward " + name, x.size() * 8, [&] {
    RopeBackward(x.data(), kWidth, kTokens, kWidth / head_dim, head_dim, positions.data(), table, pairing, pool);
  });
}

void BenchRows(double seconds, ThreadPool& pool, size_t width, size_t vocab) {
  std::vector<float> d_x = Values(kTokens * width);
  std::vector<float> d_embedding(vocab * width);
  std::vector<int32_t> ids(kTokens);
  for (size_t t = 0; t < kTokens; ++t) ids[t] = static_cast<int32_t>(t * 2654435761U % 1000003 % vocab);
  Bench(seconds, pool, "embedding backward " + std::to_string(width) + " of " + std::to_string(vocab), d_x.size() * 12,
        [&] { EmbeddingBackward(d_x.data(), width, ids.data(), kTokens, width, vocab, d_embedding.data(), pool); });
  std::vector<float> d_bias(width);
  Bench(seconds, pool, "column sums " + std::to_string(width), d_x.size() * 4,
        [&] { AddColumnSums(d_x.data(), width, kTokens, width, d_bias.data(), pool); });
  Bench(seconds, pool, "dropout " + std::to_string(width), d_x.size() * 8, [&] {
    Dropout(d_x.data(), width, kTokens, width, 0.1F, {1, 2}, 0, pool);
  });
}

}  // namespace

void BenchTrainingKernels(double seconds, int threads) {
  ThreadPool pool(threads);
  BenchParameters(seconds, pool);
  for (const size_t vocab : {512, 8192, 128256}) BenchCrossEntropy(seconds, pool, vocab);
  for (const uint32_t head_dim : {32, 64}) {
    for (const RopePairing pairing : {RopePairing::kAdjacent, RopePairing::kHalves}) {
      BenchRope(seconds, pool, head_dim, pairing);
    }
  }
  BenchRows(seconds, pool, 512, 512);
  BenchRows(seconds, pool, 512, 8192);
  BenchRows(seconds, pool, 4096, 32768);
}

}  // namespace enigma::engine
