#pragma once

#include <absl/status/status.h>
#include <grpcpp/server_context.h>

namespace enigma::coordinator {

// Tells a gRPC caller when to try again, as HTTP does in a header of the same name ("retry-after-ms"); nothing for an
// error that will not pass. Before the call is finished.
void AddRetryAfter(grpc::ServerContextBase& context, const absl::Status& status);

}  // namespace enigma::coordinator
