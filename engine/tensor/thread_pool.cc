#include "engine/tensor/thread_pool.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <cstdint>
#include <cstdlib>
#include <mutex>
#include <string_view>
#include <thread>
#include <vector>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace enigma::engine {
namespace {

void Pause() {
#if defined(__x86_64__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// About 30 us of pauses: longer than the serial gaps between the loops of one step, short against a wake-up by the
// kernel.
constexpr int kSpinPauses = 1000;

// The loop in progress is one word, so that a claim either takes a chunk of the loop it looked at or fails: loop number
// (24 bits), chunks in all (20), next chunk (20).
constexpr int kChunkBits = 20;
constexpr uint64_t kChunkMask = (uint64_t{1} << kChunkBits) - 1;
uint64_t NextChunk(uint64_t word) { return word & kChunkMask; }
uint64_t ChunkCount(uint64_t word) { return (word >> kChunkBits) & kChunkMask; }

std::vector<int> AllowedCpus() {
  std::vector<int> cpus;
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof(set), &set) != 0) return cpus;
  for (int i = 0; i < CPU_SETSIZE; ++i) {
    if (CPU_ISSET(i, &set)) cpus.push_back(i);
  }
  return cpus;
}

// The pool, as its state, whose loop the thread is inside of.
thread_local const void* inside_of = nullptr;

}  // namespace

struct ThreadPool::State {
  int threads = 1;
  int spin_pauses = kSpinPauses;

  // Written by the caller between loops; read by workers that have claimed a chunk of the loop.
  const std::function<void(size_t, size_t, int)>* body = nullptr;
  size_t count = 0;
  size_t grain = 1;

  alignas(64) std::atomic<uint64_t> word{0};
  alignas(64) std::atomic<uint64_t> finished{0};
  alignas(64) std::atomic<int> sleepers{0};
  std::atomic<bool> stop{false};
  std::mutex mutex;
  std::condition_variable wake;
  std::vector<std::thread> workers;

  bool HasWork() const {
    const uint64_t w = word.load(std::memory_order_seq_cst);
    return NextChunk(w) < ChunkCount(w);
  }

  void RunChunks(int thread) {
    uint64_t w = word.load(std::memory_order_acquire);
    while (NextChunk(w) < ChunkCount(w)) {
      if (!word.compare_exchange_weak(w, w + 1, std::memory_order_acq_rel, std::memory_order_acquire)) continue;
      const size_t begin = NextChunk(w) * grain;
      const void* outer = inside_of;
      inside_of = this;
      (*body)(begin, std::min(begin + grain, count), thread);
      inside_of = outer;
      finished.fetch_add(1, std::memory_order_release);
      w = word.load(std::memory_order_acquire);
    }
  }

  void Work(int thread) {
    while (true) {
      for (int i = 0; i < spin_pauses && !HasWork() && !stop.load(std::memory_order_relaxed); ++i) Pause();
      if (!HasWork()) {
        std::unique_lock<std::mutex> lock(mutex);
        sleepers.fetch_add(1, std::memory_order_seq_cst);
        while (!HasWork() && !stop.load(std::memory_order_seq_cst)) wake.wait(lock);
        sleepers.fetch_sub(1, std::memory_order_relaxed);
      }
      if (stop.load(std::memory_order_relaxed)) return;
      RunChunks(thread);
    }
  }

  void Publish(size_t chunks) {
    const uint64_t loop = (word.load(std::memory_order_relaxed) >> (2 * kChunkBits)) + 1;
    finished.store(0, std::memory_order_relaxed);
    word.store((loop << (2 * kChunkBits)) | (static_cast<uint64_t>(chunks) << kChunkBits), std::memory_order_seq_cst);
    if (sleepers.load(std::memory_order_seq_cst) > 0) {
      // A worker holds the mutex between its last look at the word and its sleep.
      { std::lock_guard<std::mutex> lock(mutex); }
      wake.notify_all();
    }
  }
};

ThreadPool::ThreadPool(int threads) : state_(std::make_unique<State>()) {
  state_->threads = std::max(1, threads);
  const std::vector<int> cpus = AllowedCpus();
  // More threads than processors: whoever spins keeps the one with work from running.
  if (!cpus.empty() && static_cast<size_t>(state_->threads) > cpus.size()) state_->spin_pauses = 0;
  // Pinned only where the process is meant to fill its processors; with processors to spare, several processes pinned
  // alike would crowd onto the same ones. ENIGMA_PIN_THREADS=0 forbids it.
  const char* setting = std::getenv("ENIGMA_PIN_THREADS");
  const bool pin =
      static_cast<size_t>(state_->threads) == cpus.size() && !(setting != nullptr && std::string_view(setting) == "0");
  for (int i = 1; i < state_->threads; ++i) {
    state_->workers.emplace_back([state = state_.get(), i] { state->Work(i); });
    if (pin) {
      cpu_set_t set;
      CPU_ZERO(&set);
      CPU_SET(cpus[i], &set);
      // Refused where the processor went away meanwhile; the thread then runs where the kernel likes.
      (void)pthread_setaffinity_np(state_->workers.back().native_handle(), sizeof(set), &set);
    }
  }
}

ThreadPool::~ThreadPool() {
  state_->stop.store(true, std::memory_order_seq_cst);
  { std::lock_guard<std::mutex> lock(state_->mutex); }
  state_->wake.notify_all();
  for (std::thread& worker : state_->workers) worker.join();
}

int ThreadPool::threads() const { return inside_of == state_.get() ? 1 : state_->threads; }

void ThreadPool::ParallelFor(size_t count, size_t grain, const std::function<void(size_t, size_t, int)>& body) {
  if (count == 0) return;
  grain = std::max<size_t>(grain, 1);
  if (threads() == 1 || count <= grain) {
    body(0, count, 0);
    return;
  }
  size_t chunks = (count + grain - 1) / grain;
  if (chunks > kChunkMask) {
    grain *= (chunks + kChunkMask - 1) / kChunkMask;
    chunks = (count + grain - 1) / grain;
  }
  State& state = *state_;
  state.body = &body;
  state.count = count;
  state.grain = grain;
  state.Publish(chunks);
  state.RunChunks(0);
  // Others may still be inside their last chunk. Once it takes longer than a spin is worth, let them have this
  // processor.
  for (int i = 0; state.finished.load(std::memory_order_acquire) != chunks; ++i) {
    if (i < state.spin_pauses) {
      Pause();
    } else {
      std::this_thread::yield();
    }
  }
}

}  // namespace enigma::engine
