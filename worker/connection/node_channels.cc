#include "worker/connection/node_channels.h"

#include <string>
#include <vector>

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include "base/text.h"
#include "worker/connection/first_ready.h"

namespace enigma::worker {

absl::StatusOr<std::shared_ptr<grpc::Channel>> NodeChannels::Connect(const v1::NodeAddress& node,
                                                                     absl::Duration timeout,
                                                                     const ChannelOptions& options) const {
  const ExpectedPeer peer = node.node_id().empty() ? ExpectedPeer::AnyNode() : ExpectedPeer::Node(node.node_id());
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (const std::string& endpoint : node.endpoints())
    channels.push_back(MakeChannel(endpoint, identity_, peer, options));
  const absl::Time end = absl::Now() + timeout;
  if (const std::optional<size_t> ready = FirstReady(channels, timeout)) return channels[*ready];
  std::string reasons = channels.empty() ? "; it has no endpoints" : "";
  for (const std::string& endpoint : node.endpoints()) {
    // Who waits for an answer is told in time, even where there is less to tell.
    const absl::Duration left = end - absl::Now();
    absl::Status why;
    if (left > absl::ZeroDuration()) why = DiagnoseChannel(endpoint, identity_, peer, absl::Now(), left);
    absl::StrAppend(&reasons, "; ", endpoint, ": ", why.ok() ? "did not answer in time" : ToString(why.message()));
  }
  return absl::UnavailableError(absl::StrCat("node ", node.node_id(), " cannot be reached", reasons));
}

}  // namespace enigma::worker
