#pragma once

#include <cstddef>
#include <functional>
#include <memory>

namespace enigma::engine {

// The engine's own threads, pinned where the machine allows it. One caller at a time runs a parallel loop; the calling
// thread takes part, so a pool of 1 has no threads of its own. Between loops workers spin briefly, then sleep: a step
// of a model is hundreds of short loops, but an idle worker must cost nothing.
class ThreadPool {
 public:
  explicit ThreadPool(int threads);  // at least 1
  ~ThreadPool();
  // 1 inside a loop's body.
  int threads() const;

  // Calls body(begin, end, thread) over disjoint ranges that cover [0, count); ranges are multiples of `grain` but for
  // the last. Which thread takes which range must not matter to the result. Returns when all are done.
  // Called inside a body of the same pool, it is one call of the inner body, by the calling thread.
  void ParallelFor(size_t count, size_t grain, const std::function<void(size_t, size_t, int)>& body);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace enigma::engine
