#pragma once

#include <cstdint>
#include <limits>
#include <string>

#include <absl/status/statusor.h>
#include <grpcpp/generic/async_generic_service.h>

namespace enigma::worker {

// What receiving ends of links between workers have in common. INVALID_ARGUMENT names the key of metadata that are
// missing, or are no number up to `most`.
absl::StatusOr<std::string> LinkMetadata(const grpc::GenericCallbackServerContext& context, const char* key);
absl::StatusOr<uint64_t> LinkNumber(const grpc::GenericCallbackServerContext& context, const char* key,
                                    uint64_t most = std::numeric_limits<uint64_t>::max());

// A call that ends at once, with this reason. Deletes itself.
grpc::ServerGenericBidiReactor* RefuseLink(const absl::Status& reason);

}  // namespace enigma::worker
