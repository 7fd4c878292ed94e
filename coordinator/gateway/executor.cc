#include "coordinator/gateway/executor.h"

namespace enigma::coordinator {

Executor::Executor(size_t threads, size_t queue_max) : queue_(queue_max) {
  for (size_t i = 0; i < threads; ++i) {
    threads_.emplace_back([this] {
      while (auto work = queue_.Pop()) (*work)();
    });
  }
}

void Executor::Stop() {
  queue_.Close();
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

}  // namespace enigma::coordinator
