#include "worker/connection/first_ready.h"

#include <algorithm>

#include <absl/time/clock.h>

namespace enigma::worker {
namespace {

constexpr absl::Duration kLookEvery = absl::Milliseconds(2);

}  // namespace

std::optional<size_t> FirstReady(const std::vector<std::shared_ptr<grpc::Channel>>& channels, absl::Duration timeout) {
  const absl::Time end = absl::Now() + timeout;
  std::vector<bool> failed(channels.size());
  while (absl::Now() < end) {
    for (size_t i = 0; i < channels.size(); ++i) {
      const grpc_connectivity_state state = channels[i]->GetState(/*try_to_connect=*/true);
      if (state == GRPC_CHANNEL_READY) return i;
      failed[i] = failed[i] || state == GRPC_CHANNEL_TRANSIENT_FAILURE;
    }
    if (std::all_of(failed.begin(), failed.end(), [](bool f) { return f; })) return std::nullopt;
    absl::SleepFor(kLookEvery);
  }
  return std::nullopt;
}

}  // namespace enigma::worker
