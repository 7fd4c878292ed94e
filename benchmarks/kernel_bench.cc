// Speed of the CPU kernels beside what this machine's memory can deliver.
//   kernel_bench [--threads N]... [--type NAME]... [--tokens N]... [--target NAME] [--seconds S]
// Shapes are those of TinyLlama 1.1B. Weights are taken in turn from a set larger than the last-level cache, as in
// decoding.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "benchmarks/training_kernels.h"
#include "benchmarks/typical_seconds.h"
#include "engine/kernels/attention.h"
#include "engine/kernels/causal_attention_backward.h"
#include "engine/kernels/cpu_target.h"
#include "engine/kernels/dequantise.h"
#include "engine/kernels/gemm.h"
#include "engine/kernels/matmul.h"
#include "engine/kernels/panel_layout.h"
#include "engine/tensor/aligned_buffer.h"
#include "engine/tensor/thread_pool.h"

namespace enigma::engine {
namespace {

constexpr size_t kSetBytes = size_t{192} << 20;

struct Options {
  std::vector<int> threads;
  std::vector<DType> types;
  std::vector<size_t> tokens;
  double seconds = 0.5;
};

// Four streams side by side, fetched ahead, as decoding reads weights: the ceiling for it.
void BenchRead(const Options& options, int threads) {
  ThreadPool pool(threads);
  constexpr size_t kChunk = size_t{1} << 17;
  AlignedBuffer<uint64_t> data(kSetBytes / 8);
  std::fill(data.data(), data.data() + data.size(), 1);
  std::vector<uint64_t> sums(static_cast<size_t>(threads) * 8);
  const double seconds = TypicalSeconds(options.seconds, threads, [&] {
    pool.ParallelFor(data.size() / kChunk, 1, [&](size_t begin, size_t end, int thread) {
      uint64_t sum = 0;
      for (size_t n = begin; n < end; ++n) {
        const uint64_t* chunk = data.data() + n * kChunk;
        for (size_t i = 0; i < kChunk / 4; i += 8) {  // a word of each cache line brings in the line
          for (size_t stream = 0; stream < 4; ++stream) {
            __builtin_prefetch(chunk + stream * (kChunk / 4) + i + 128);
            sum += chunk[stream * (kChunk / 4) + i];
          }
        }
      }
      sums[static_cast<size_t>(thread) * 8] += sum;
    });
  });
  std::printf("read           threads %d  %6.1f GB/s\n", threads, static_cast<double>(kSetBytes) / seconds / 1e9);
}

// Random blocks with plausible scales: speed does not depend on the values.
std::vector<uint8_t> RandomStored(DType type, size_t rows, size_t cols) {
  std::mt19937 generator(1);
  std::normal_distribution<float> normal(0.0F, 0.02F);
  std::vector<float> source(64 * cols);
  for (float& v : source) v = normal(generator);
  const size_t row_bytes = RowBytes(type, cols);
  std::vector<uint8_t> stored(rows * row_bytes);
  Quantise(type, source.data(), source.size(), stored.data());
  for (size_t r = 64; r < rows; r += 64) {
    std::memcpy(stored.data() + r * row_bytes, stored.data(), std::min<size_t>(64, rows - r) * row_bytes);
  }
  return stored;
}

void BenchMatMul(const Options& options, DType type, size_t rows, size_t cols, size_t tokens, int threads) {
  ThreadPool pool(threads);
  const std::vector<uint8_t> stored = RandomStored(type, rows, cols);
  std::vector<PackedMatrix> set;
  size_t bytes = 0;
  do {
    set.push_back(PackedMatrix::Pack(type, rows, cols, stored, &pool).value());
    bytes += set.back().bytes();
  } while (tokens <= 16 && bytes < kSetBytes);
  std::vector<float> x(tokens * cols);
  std::vector<float> y(tokens * rows);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 2654435761U % 1000) / 500.0F - 1.0F;
  ActivationRows activations;
  size_t next = 0;
  const double seconds = TypicalSeconds(options.seconds, threads, [&] {
    activations.Set(x.data(), tokens, cols, cols, NeedsQuantisedActivations(type), pool);
    MatMul(set[next], activations, y.data(), rows, pool);
    next = (next + 1) % set.size();
  });
  std::printf("%-5s %5zu x %4zu  tokens %3zu  threads %d  %6.1f GB/s  %7.1f GOP/s\n", Traits(type).name, rows, cols,
              tokens, threads, static_cast<double>(set[0].bytes()) / seconds / 1e9,
              2.0 * static_cast<double>(rows * cols * tokens) / seconds / 1e9);
}

// `count` new queries after `past` stored tokens, 32 heads over 4 of 64.
void BenchAttention(const Options& options, KvType type, const char* name, uint32_t past, uint32_t count, int threads) {
  ThreadPool pool(threads);
  constexpr uint32_t kHeads = 32;
  constexpr uint32_t kKvHeads = 4;
  constexpr uint32_t kHeadDim = 64;
  KvLayerView kv{nullptr, KvBlockBytes(type, kKvHeads, kHeadDim), type, kKvHeads, kHeadDim};
  const uint32_t length = past + count;
  std::vector<uint32_t> table((length + kKvBlockTokens - 1) / kKvBlockTokens);
  for (uint32_t i = 0; i < table.size(); ++i) table[i] = i;
  AlignedBuffer<uint8_t> memory(table.size() * kv.block_bytes);
  kv.base = memory.data();
  std::vector<float> x(size_t{length} * kHeads * kHeadDim);
  for (size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i * 2654435761U % 1000) / 500.0F - 1.0F;
  std::vector<float> out(x.size());
  StoreKv(kv, {{0, 0, length, table.data()}}, x.data(), x.data(), kKvHeads * kHeadDim, pool);
  const std::vector<AttentionRun> runs = {{0, past, count, table.data()}};
  const double seconds = TypicalSeconds(options.seconds, threads, [&] {
    Attention(kv, runs, x.data(), kHeads * kHeadDim, kHeads, 0.125F, 0, out.data(), kHeads * kHeadDim, pool);
  });
  double pairs = 0;
  for (uint32_t i = 0; i < count; ++i) pairs += past + i + 1;
  std::printf("attention %-4s past %4u  queries %3u  threads %d  %8.1f us  %6.1f GFLOP/s\n", name, past, count, threads,
              seconds * 1e6, pairs * kHeads * kHeadDim * 4 / seconds / 1e9);
}

// A product of training, its right factor packed anew each time: [m, k] by [k, n], as x W^T is.
void BenchGemm(const Options& options, ProductPrecision precision, size_t m, size_t n, size_t k, int threads) {
  ThreadPool pool(threads);
  const std::vector<float> a(m * k, 0.5F);
  const std::vector<float> b(n * k, 0.25F);
  std::vector<float> c(m * n);
  GemmPanels panels(precision);
  const double seconds = TypicalSeconds(options.seconds, threads, [&] {
    panels.Set({b.data(), 1, k}, k, n, pool);
    Gemm({a.data(), k, 1}, m, panels, c.data(), n, /*start=*/nullptr, pool);
  });
  std::printf("gemm %s %4zu x %4zu x %4zu  threads %d  %7.1f GFLOP/s\n",
              precision == ProductPrecision::kF32 ? "f32 " : "bf16", m, n, k, threads,
              2.0 * static_cast<double>(m * n * k) / seconds / 1e9);
}

// Attention of training over `documents` of 256 tokens, and its gradient. Only pairs that a query sees are counted.
void BenchCausalAttention(const Options& options, uint32_t heads, uint32_t head_dim, uint32_t documents, int threads) {
  ThreadPool pool(threads);
  constexpr uint32_t kRows = 256;
  const CausalAttentionShape shape = {heads, heads, head_dim, 0.125F, 0};
  std::vector<uint32_t> starts(documents + 1);
  for (uint32_t i = 0; i <= documents; ++i) starts[i] = i * kRows;
  const size_t width = size_t{heads} * head_dim;
  std::vector<float> qkv(starts.back() * 3 * width);
  for (size_t i = 0; i < qkv.size(); ++i) qkv[i] = static_cast<float>(i * 2654435761U % 1000) / 500.0F - 1.0F;
  const std::vector<float> d_out(starts.back() * width, 0.5F);
  std::vector<float> out(d_out.size());
  std::vector<float> stats(size_t{starts.back()} * heads * 2);
  std::vector<float> d_qkv(qkv.size());
  const float* q = qkv.data();
  float* d_q = d_qkv.data();
  const double forward = TypicalSeconds(options.seconds, threads, [&] {
    CausalAttention(shape, starts, q, 3 * width, q + width, 3 * width, q + 2 * width, 3 * width, out.data(), width,
                    stats.data(), pool);
  });
  const double backward = TypicalSeconds(options.seconds, threads, [&] {
    CausalAttentionBackward(shape, starts, d_out.data(), width, q, 3 * width, q + width, 3 * width, q + 2 * width,
                            3 * width, out.data(), width, stats.data(), d_q, 3 * width, d_q + width, 3 * width,
                            d_q + 2 * width, 3 * width, pool);
  });
  const double products = static_cast<double>(documents) * kRows * (kRows + 1) / 2 * static_cast<double>(width);
  std::printf("causal attention %u x %2u  documents %2u  threads %d  %6.1f GFLOP/s  gradient %6.1f GFLOP/s\n", heads,
              head_dim, documents, threads, products * 4 / forward / 1e9, products * 10 / backward / 1e9);
}

int Run(const Options& options) {
  std::printf("kernels for %s\n", CpuTargetName());
  for (const int threads : options.threads) BenchRead(options, threads);
  for (const DType type : options.types) {
    for (const size_t tokens : options.tokens) {
      for (const int threads : options.threads) {
        BenchMatMul(options, type, 5632, 2048, tokens, threads);
        BenchMatMul(options, type, 2048, 5632, tokens, threads);
        BenchMatMul(options, type, 256, 2048, tokens, threads);
      }
    }
  }
  for (const int threads : options.threads) {
    BenchAttention(options, KvType::kF32, "f32", 512, 1, threads);
    BenchAttention(options, KvType::kF16, "f16", 512, 1, threads);
    BenchAttention(options, KvType::kF16, "f16", 0, 512, threads);
    BenchAttention(options, KvType::kQ8, "q8", 0, 512, threads);
  }
  for (const int threads : options.threads) {
    for (const ProductPrecision precision : {ProductPrecision::kF32, ProductPrecision::kBf16}) {
      BenchGemm(options, precision, 4096, 128, 128, threads);
      BenchGemm(options, precision, 4096, 688, 256, threads);
      BenchGemm(options, precision, 2048, 512, 1376, threads);
      BenchGemm(options, precision, 512, 512, 2048, threads);
      BenchGemm(options, precision, 2048, 8192, 512, threads);
    }
    BenchCausalAttention(options, 4, 32, 16, threads);
    BenchCausalAttention(options, 8, 32, 8, threads);
    BenchCausalAttention(options, 8, 64, 8, threads);
  }
  for (const int threads : options.threads) BenchTrainingKernels(options.seconds, threads);
  return 0;
}

int Main(int argc, char** argv) {
  Options options;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view flag = argv[i];
    const char* value = argv[i + 1];
    if (flag == "--threads") {
      options.threads.push_back(std::atoi(value));
    } else if (flag == "--tokens") {
      options.tokens.push_back(std::strtoul(value, nullptr, 10));
    } else if (flag == "--seconds") {
      options.seconds = std::atof(value);
    } else if (const auto type = DTypeFromName(value); flag == "--type" && type.has_value()) {
      options.types.push_back(*type);
    } else if (flag == "--target") {
      for (const int64_t target : AvailableCpuTargets()) {
        if (std::string_view(hwy::TargetName(target)) == value) ForceCpuTarget(target);
      }
    } else {
      std::fprintf(stderr, "kernel_bench: no such option or value: %s %s\n", argv[i], value);
      return 2;
    }
  }
  if (options.threads.empty()) options.threads = {1, 2};
  if (options.tokens.empty()) options.tokens = {1, 512};
  if (options.types.empty()) {
    options.types = {DType::kQ8_0, DType::kQ4_0, DType::kQ4_K, DType::kQ6_K,
                     DType::kQ5_0, DType::kQ5_K, DType::kF16,  DType::kF32};
  }
  return Run(options);
}

}  // namespace
}  // namespace enigma::engine

int main(int argc, char** argv) { return enigma::engine::Main(argc, argv); }
