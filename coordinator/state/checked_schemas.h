#pragma once

#include <cstddef>
#include <list>
#include <string>
#include <string_view>

#include <absl/base/thread_annotations.h>
#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>
#include <absl/strings/string_view.h>
#include <absl/synchronization/mutex.h>

namespace enigma::coordinator {

// Which JSON schemas of answers are good, so that a bad one is refused before anything is asked of a worker, and one
// that comes with every request is compiled once. Thread-safe; compiles on the caller's thread.
class CheckedSchemas {
 public:
  // OK for one that engine::Grammar::FromJsonSchema takes, and for "" (any JSON object); else INVALID_ARGUMENT with its
  // reason, also where it is too large or too complex. Within about a tenth of a second.
  absl::Status Check(std::string_view schema);
  // Whether Check answers at once.
  bool Knows(std::string_view schema) const;

 private:
  struct Entry {
    std::string schema;
    absl::Status status;
  };

  void Forget() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);  // the least recently used, until the rest is within bounds

  mutable absl::Mutex mutex_;
  std::list<Entry> recent_ ABSL_GUARDED_BY(mutex_);  // the most recently used first
  absl::flat_hash_map<absl::string_view, std::list<Entry>::iterator> entries_ ABSL_GUARDED_BY(mutex_);  // views into it
  size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;
};

}  // namespace enigma::coordinator
