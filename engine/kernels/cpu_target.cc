#include "engine/kernels/cpu_target.h"

#include <atomic>
#include <cstdio>
#include <cstdlib>

namespace enigma::engine {
namespace {

constexpr int64_t kKernelTargets[] = {
#if HWY_ARCH_X86
    HWY_AVX3_DL,
    HWY_AVX3,
    HWY_AVX2,
#else
    HWY_NEON,
#endif
};

std::atomic<int64_t> chosen{0};

}  // namespace

std::vector<int64_t> AvailableCpuTargets() {
  std::vector<int64_t> targets;
  for (const int64_t target : kKernelTargets) {
    if ((hwy::SupportedTargets() & HWY_TARGETS & target) != 0) targets.push_back(target);
  }
  return targets;
}

absl::Status CpuSupported() {
  if (!AvailableCpuTargets().empty()) return absl::OkStatus();
#if HWY_ARCH_X86
  return absl::FailedPreconditionError(
      "this processor lacks AVX2, FMA, F16C or BMI2, which the CPU kernels need (Intel Haswell, AMD Zen, or newer; in "
      "a "
      "virtual machine, have the host pass its processor's features through)");
#else
  return absl::FailedPreconditionError("this processor lacks NEON with AES, which the CPU kernels need (ARMv8-A)");
#endif
}

int64_t CpuTarget() {
  int64_t target = chosen.load(std::memory_order_relaxed);
  if (target != 0) return target;
  const std::vector<int64_t> targets = AvailableCpuTargets();
  if (targets.empty()) {
    std::fprintf(stderr, "%s\n", std::string(CpuSupported().message()).c_str());
    std::abort();
  }
  chosen.store(targets.front(), std::memory_order_relaxed);
  return targets.front();
}

const char* CpuTargetName() { return hwy::TargetName(CpuTarget()); }

void ForceCpuTarget(int64_t target) { chosen.store(target, std::memory_order_relaxed); }

}  // namespace enigma::engine
