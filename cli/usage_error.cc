#include "cli/usage_error.h"

#include <absl/strings/cord.h>

namespace enigma::cli {

namespace {
constexpr char kUsagePayload[] = "enigma/usage";
}

absl::Status UsageError(std::string message) {
  absl::Status status = absl::InvalidArgumentError(message);
  status.SetPayload(kUsagePayload, absl::Cord("usage"));
  return status;
}

bool IsUsageError(const absl::Status& status) { return status.GetPayload(kUsagePayload).has_value(); }

}  // namespace enigma::cli
