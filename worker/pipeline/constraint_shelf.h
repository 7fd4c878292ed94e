#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string_view>

#include <absl/base/thread_annotations.h>
#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>

#include "engine/sampling/constraint/constraint_cache.h"
#include "engine/text/tokenizer.h"

namespace enigma::worker {

// What outputs must look like, compiled before their sequences reach the last stage: gRPC's threads put a constraint
// down for a sequence, the compute thread takes it when the sequence opens. It is kept for that sequence, not for its
// schema, so nobody has to remember what a stage still has. Thread-safe.
class ConstraintShelf {
 public:
  // Constraints that wait for their sequences. More than ever run at once: what lies longest was left behind by a
  // sequence that never came.
  static constexpr size_t kWaitingMax = 256;

  // Takes some tens of milliseconds for a large vocabulary. The tokenizer must outlive it.
  explicit ConstraintShelf(const engine::Tokenizer& tokenizer) : cache_(tokenizer) {}

  // Compiles, one schema at a time, so that many at once cost the layers one core and no more. Not for the compute
  // thread. Errors as engine::Grammar::FromJsonSchema.
  absl::Status Put(uint64_t sequence, std::string_view schema);
  // Null when nothing lies there for the sequence (any more).
  std::shared_ptr<const engine::TokenConstraint> Take(uint64_t sequence);
  void Drop(uint64_t sequence) { Take(sequence); }

 private:
  engine::ConstraintCache cache_;
  absl::Mutex compiling_;
  absl::Mutex mutex_;
  absl::flat_hash_map<uint64_t, std::shared_ptr<const engine::TokenConstraint>> waiting_ ABSL_GUARDED_BY(mutex_);
  std::deque<uint64_t> order_ ABSL_GUARDED_BY(mutex_);  // the keys of waiting_, as they came
};

}  // namespace enigma::worker
