#pragma once

// Include before any Highway header: names the instruction sets that kernels are compiled for. All have fused
// multiply-add, without which the numeric contract would cost a software routine per operation.

#define ENIGMA_UNUSED_TARGETS (HWY_SSSE3 | HWY_SSE4 | HWY_SVE | HWY_SVE2 | HWY_SVE_256 | HWY_SVE2_128)
#ifdef ENIGMA_SANITIZED
// Sanitizers make compiling a target many times slower, so their builds have one, which every machine with kernels has.
#define HWY_DISABLED_TARGETS (ENIGMA_UNUSED_TARGETS | HWY_AVX3 | HWY_AVX3_DL)
#else
#define HWY_WANT_AVX3_DL 1
#define HWY_DISABLED_TARGETS ENIGMA_UNUSED_TARGETS
#endif

#include <cstdint>
#include <vector>

#include <absl/status/status.h>
#include <hwy/targets.h>

// Whether the code being compiled is for a target with kernels. Highway also compiles for the compiler's own baseline,
// which on x86 has no FMA.
#define ENIGMA_KERNEL_TARGET (HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128)

// Defines `const Table& Name()`: the table of kernels, HWY_NAMESPACE::table, of the target in use. At HWY_ONCE, in the
// namespace that holds the targets' namespaces.
#if HWY_ARCH_X86 && defined(ENIGMA_SANITIZED)
#define ENIGMA_EXPORT_KERNELS(Table, Name, table) \
  const Table& Name() { return N_AVX2::table; }
#elif HWY_ARCH_X86
#define ENIGMA_EXPORT_KERNELS(Table, Name, table) \
  const Table& Name() {                           \
    switch (CpuTarget()) {                        \
      case HWY_AVX3_DL:                           \
        return N_AVX3_DL::table;                  \
      case HWY_AVX3:                              \
        return N_AVX3::table;                     \
      default:                                    \
        return N_AVX2::table;                     \
    }                                             \
  }
#else
#define ENIGMA_EXPORT_KERNELS(Table, Name, table) \
  const Table& Name() { return N_NEON::table; }
#endif

namespace enigma::engine {

// An error that names the missing instructions where this machine cannot run the kernels. To be asked before any of
// them.
absl::Status CpuSupported();

// The Highway target that kernels run on: the best this machine has, unless forced. Dies where CpuSupported() fails.
int64_t CpuTarget();
const char* CpuTargetName();

// Targets compiled in that this machine has, best first.
std::vector<int64_t> AvailableCpuTargets();

// For tests and measurements: runs kernels on `target`, one of AvailableCpuTargets(); 0 restores the choice. Not while
// kernels run.
void ForceCpuTarget(int64_t target);

}  // namespace enigma::engine
