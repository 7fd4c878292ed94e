#pragma once

#include <cstdint>
#include <string>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "base/clock.h"
#include "engine/tensor/thread_pool.h"
#include "proto/membership.pb.h"

namespace enigma::worker {

// What this machine can do, measured with the very kernels that stages run. Takes about a second.

struct KernelSpeed {
  double bytes_per_second = 0;  // weight bytes that a product with one row streams
  double flops_per_second = 0;  // of a product with many rows
};
// `budget`: time for each of the two measurements, preparation aside.
absl::StatusOr<KernelSpeed> MeasureKernels(engine::ThreadPool& pool, absl::Duration budget,
                                           const Clock& clock = Clock::System());

struct MemoryLimits {
  uint64_t limit_bytes = 0;  // the operator's; 0: none
};
// Bytes that stages may still use: what the system and the control group leave, and the operator's limit less
// `used_bytes`, whatever is least.
uint64_t FreeMemory(const MemoryLimits& limits, uint64_t used_bytes);
uint64_t TotalMemory();

// What needs no measuring: memory, threads, instruction set. Without the disk, which the layer cache knows.
v1::Capability DescribeMachine(int threads, const MemoryLimits& limits);
// The same with the speeds.
absl::StatusOr<v1::Capability> MeasureCapability(int threads, const MemoryLimits& limits);

}  // namespace enigma::worker
