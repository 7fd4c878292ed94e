#pragma once

#include <string>

#include <absl/status/status.h>

namespace enigma::worker {

// Whether trying again cannot help: this node is of another cluster, has no right, its clock is wrong, or it was told
// to leave.
inline bool IsFinal(const absl::Status& status) {
  return absl::IsUnauthenticated(status) || absl::IsPermissionDenied(status) || absl::IsFailedPrecondition(status) ||
         absl::IsAborted(status) || absl::IsAlreadyExists(status) || absl::IsInvalidArgument(status);
}

// What came of trying several endpoints, none of which served. Final only if it was so at each of them: a hint may lead
// to somebody else's coordinator while one's own is only late.
class Verdict {
 public:
  void Add(const absl::Status& status);
  absl::Status Sum() const;

 private:
  absl::Status first_final_;
  std::string others_;
};

}  // namespace enigma::worker
