#pragma once

#include <map>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>

#include "coordinator/store/store.h"

namespace enigma::coordinator {

// Forgets everything when destroyed: for tests and for clusters that are thrown away.
class MemoryStore final : public Store {
 public:
  absl::StatusOr<std::string> Get(std::string_view key) const override;
  absl::Status Apply(const std::vector<Write>& batch) override;
  absl::Status Scan(std::string_view prefix, const Visitor& visit) const override;

 private:
  mutable absl::Mutex mutex_;
  std::map<std::string, std::string, std::less<>> entries_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace enigma::coordinator
