#include "worker/membership/verdict.h"

#include <absl/strings/str_cat.h>

#include "base/text.h"

namespace enigma::worker {

void Verdict::Add(const absl::Status& status) {
  if (IsFinal(status)) {
    if (first_final_.ok()) first_final_ = status;
    return;
  }
  absl::StrAppend(&others_, others_.empty() ? "" : "; ",
                  status.ok() ? "a coordinator answered too late" : ToString(status.message()));
}

absl::Status Verdict::Sum() const {
  if (!others_.empty()) return absl::UnavailableError(others_);
  if (!first_final_.ok()) return first_final_;
  return absl::UnavailableError("none has been found");
}

}  // namespace enigma::worker
