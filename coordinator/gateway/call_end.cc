#include "coordinator/gateway/call_end.h"

#include <chrono>
#include <optional>
#include <utility>

#include <absl/strings/str_cat.h>

#include "coordinator/gateway/status_contract.h"
#include "rpc/status_conversion.h"

namespace enigma::coordinator {

grpc::Status EndOf(grpc::CallbackServerContext& context, const absl::Status& status) {
  if (!status.ok()) {
    if (const std::optional<absl::Duration> wait = WaitAfter(status)) {
      context.AddTrailingMetadata("retry-after-ms", absl::StrCat(absl::ToInt64Milliseconds(*wait)));
    }
  }
  return ToGrpc(status);
}

bool DeadlinePassed(const grpc::CallbackServerContext& context) {
  return context.deadline() <= std::chrono::system_clock::now();
}

void TimeLimit::Set(const grpc::CallbackServerContext& context, absl::Duration time_max, std::function<void()> late) {
  const auto until = std::chrono::system_clock::now() + absl::ToChronoNanoseconds(time_max);
  if (context.deadline() <= until) return;
  alarm_.Set(until, [late = std::move(late)](bool expired) {
    if (expired) late();
  });
}

absl::Status Late() {
  return absl::DeadlineExceededError("the deadline of the request passed before its answer was complete");
}

}  // namespace enigma::coordinator
