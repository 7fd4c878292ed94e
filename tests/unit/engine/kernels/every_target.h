#pragma once

#include <functional>

#include "engine/kernels/cpu_target.h"
#include "engine/tensor/thread_pool.h"

namespace enigma::engine {

// Calls `body` once for each target this machine has and each of 1, 2 and 3 threads, kernels running on that target.
inline void ForEveryTargetAndThreadCount(const std::function<void(ThreadPool&)>& body) {
  for (const int64_t target : AvailableCpuTargets()) {
    ForceCpuTarget(target);
    for (const int threads : {1, 2, 3}) {
      ThreadPool pool(threads);
      body(pool);
    }
  }
  ForceCpuTarget(0);
}

}  // namespace enigma::engine
