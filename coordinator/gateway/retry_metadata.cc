#include "coordinator/gateway/retry_metadata.h"

#include <absl/strings/str_cat.h>

#include "coordinator/gateway/openai/api_error.h"

namespace enigma::coordinator {

void AddRetryAfter(grpc::ServerContextBase& context, const absl::Status& status) {
  if (status.ok()) return;
  const ApiError error = ErrorOf(status);
  if (!error.retry_after) return;
  context.AddTrailingMetadata("retry-after-ms", absl::StrCat(absl::ToInt64Milliseconds(*error.retry_after)));
}

}  // namespace enigma::coordinator
