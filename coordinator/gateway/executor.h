#pragma once

#include <functional>
#include <thread>
#include <vector>

#include "base/bounded_queue.h"

namespace enigma::coordinator {

// A few threads for work that must not run on gRPC's own: reading tokenizers, tokenising prompts. Thread-safe.
class Executor {
 public:
  explicit Executor(size_t threads, size_t queue_max = 1024);
  ~Executor() { Stop(); }

  // Takes no more work; returns when what was queued is done and forgotten. Idempotent; one thread calls.
  void Stop();

  // False when the queue is full.
  [[nodiscard]] bool TryRun(std::function<void()> work) { return queue_.TryPush(std::move(work)); }

 private:
  BoundedQueue<std::function<void()>> queue_;
  std::vector<std::thread> threads_;
};

}  // namespace enigma::coordinator
