#pragma once

#include <absl/status/status.h>
#include <grpcpp/server_context.h>

namespace enigma::coordinator {

// How a call of the public gRPC API ends: the status, and for one that may be asked again the time to wait, which is
// put into the trailing metadata `retry-after-ms` (gateway/status_contract.h).
grpc::Status EndOf(grpc::CallbackServerContext& context, const absl::Status& status);

// Whether the deadline that the caller set is over; a call that is cancelled for that was late and not unwanted.
bool DeadlinePassed(const grpc::CallbackServerContext& context);
absl::Status Late();

}  // namespace enigma::coordinator
