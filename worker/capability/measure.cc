#include "worker/capability/measure.h"

#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <memory>
#include <span>
#include <vector>

#include "base/status_macros.h"
#include "engine/kernels/cpu_target.h"
#include "engine/kernels/matmul.h"
#include "engine/model/available_memory.h"
#include "engine/spec/model_spec.h"
#include "worker/capability/product_speed.h"

namespace enigma::worker {
namespace {

using engine::DType;
using engine::PackedMatrix;

constexpr DType kType = DType::kQ4_0;  // the most common of the formats that are worth a cluster
constexpr size_t kCols = 4096;
constexpr int kRounds = 3;
#ifdef ENIGMA_SANITIZED  // the speed of instrumented kernels means nothing; measuring it took most of a minute
constexpr size_t kPrefillRows = 64;
constexpr size_t kPrefillTokens = 8;
constexpr uint64_t kLeastStreamBytes = uint64_t{1} << 20;
constexpr uint64_t kMostStreamBytes = uint64_t{1} << 20;
#else
constexpr size_t kPrefillRows = 1024;
constexpr size_t kPrefillTokens = 64;
constexpr uint64_t kLeastStreamBytes = uint64_t{64} << 20;
constexpr uint64_t kMostStreamBytes = uint64_t{256} << 20;
#endif

// More than the last cache holds, so that what is measured is memory.
uint64_t StreamBytes() {
  const long cache = ::sysconf(_SC_LEVEL3_CACHE_SIZE);
  const uint64_t wanted = cache > 0 ? static_cast<uint64_t>(cache) * 3 / 2 : 0;
  return std::clamp(wanted, kLeastStreamBytes, kMostStreamBytes);
}

// A matrix of zeros: kernels take the same time for any values. Its source is never written, so the pages behind it are
// the system's one zero page.
absl::StatusOr<PackedMatrix> ZeroMatrix(size_t rows, engine::ThreadPool& pool) {
  const size_t bytes = rows * engine::RowBytes(kType, kCols);
  const std::unique_ptr<uint8_t, decltype(&std::free)> source(static_cast<uint8_t*>(std::calloc(bytes, 1)), &std::free);
  if (source == nullptr) return absl::ResourceExhaustedError("no memory to measure the kernels with");
  return PackedMatrix::Pack(kType, rows, kCols, {source.get(), bytes}, &pool);
}

// Seconds that one product takes: the best of as many as fit into the budget, at least two.
double SecondsPerProduct(const PackedMatrix& weights, size_t tokens, engine::ThreadPool& pool, absl::Duration budget,
                         const Clock& clock) {
  std::vector<float> x(tokens * kCols, 0.5F);
  std::vector<float> y(tokens * weights.rows());
  engine::ActivationRows rows;
  const absl::Duration end = clock.Monotonic() + budget;
  double best = 1e9;
  for (int i = 0; i < 2 || clock.Monotonic() < end; ++i) {
    const absl::Duration start = clock.Monotonic();
    rows.Set(x.data(), tokens, kCols, kCols, /*quantise=*/true, pool);
    engine::MatMul(weights, rows, y.data(), weights.rows(), pool);
    best = std::min(best, absl::ToDoubleSeconds(clock.Monotonic() - start));
  }
  return std::max(best, 1e-9);
}

}  // namespace

absl::StatusOr<KernelSpeed> MeasureKernels(engine::ThreadPool& pool, absl::Duration budget, const Clock& clock) {
  ENIGMA_RETURN_IF_ERROR(engine::CpuSupported());
  const size_t rows = StreamBytes() / engine::RowBytes(kType, kCols);
  ENIGMA_ASSIGN_OR_RETURN(const PackedMatrix streamed, ZeroMatrix(rows, pool));
  ENIGMA_ASSIGN_OR_RETURN(const PackedMatrix reused, ZeroMatrix(kPrefillRows, pool));
  const auto stored = static_cast<double>(rows * engine::RowBytes(kType, kCols));
  const double operations = 2.0 * kPrefillRows * kCols * kPrefillTokens;
  KernelSpeed speed;
  // In turn, so that what disturbs the machine for a moment does not spoil all of one kind.
  for (int round = 0; round < kRounds; ++round) {
    const double decode = SecondsPerProduct(streamed, 1, pool, budget / kRounds, clock);
    const double prefill = SecondsPerProduct(reused, kPrefillTokens, pool, budget / kRounds, clock);
    speed.bytes_per_second = std::max(speed.bytes_per_second, stored / decode);
    speed.flops_per_second = std::max(speed.flops_per_second, operations / prefill);
  }
  return speed;
}

uint64_t FreeMemory(const MemoryLimits& limits, uint64_t used_bytes) {
  uint64_t free = engine::AvailableMemoryBytes().value_or(0);
  if (limits.limit_bytes > 0) free = std::min(free, limits.limit_bytes - std::min(limits.limit_bytes, used_bytes));
  return free;
}

uint64_t TotalMemory() {
  return static_cast<uint64_t>(::sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(::sysconf(_SC_PAGE_SIZE));
}

v1::Capability DescribeMachine(int threads, const MemoryLimits& limits) {
  v1::Capability capability;
  capability.set_memory_total_bytes(TotalMemory());
  capability.set_memory_free_bytes(FreeMemory(limits, 0));
  capability.set_threads(static_cast<uint32_t>(threads));
  capability.set_contract(engine::kCpuContract);
  capability.set_simd_target(engine::CpuTargetName());
  capability.set_encodes_pictures(true);
  return capability;
}

absl::StatusOr<v1::Capability> MeasureCapability(int threads, const MemoryLimits& limits) {
  engine::ThreadPool pool(threads);
  ENIGMA_ASSIGN_OR_RETURN(const KernelSpeed speed, MeasureKernels(pool, absl::Milliseconds(150)));
  v1::Capability capability = DescribeMachine(threads, limits);
  capability.set_memory_bytes_per_second(speed.bytes_per_second);
  capability.set_flops_per_second(speed.flops_per_second);
  capability.set_training_flops_per_second(MeasureProducts(engine::ProductPrecision::kF32, pool));
  capability.set_training_bf16_flops_per_second(MeasureProducts(engine::ProductPrecision::kBf16, pool));
  return capability;
}

}  // namespace enigma::worker
