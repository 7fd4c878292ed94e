#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include <absl/time/time.h>
#include <grpcpp/channel.h>

namespace enigma::worker {

// Connects all of these at once. The index of the first that is ready, the earlier in the list where several are; empty
// when all have failed or time is up.
std::optional<size_t> FirstReady(const std::vector<std::shared_ptr<grpc::Channel>>& channels, absl::Duration timeout);

}  // namespace enigma::worker
