#pragma once

#include <absl/status/status.h>
#include <grpcpp/support/status.h>

namespace enigma {

// The two kinds of status have the same codes; the message is kept.
grpc::Status ToGrpc(const absl::Status& status);
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace enigma
