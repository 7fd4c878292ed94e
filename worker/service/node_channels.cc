#include "worker/service/node_channels.h"

#include <string>

#include <absl/strings/str_cat.h>

#include "base/text.h"
#include "rpc/channel.h"

namespace enigma::worker {

absl::StatusOr<std::shared_ptr<grpc::Channel>> NodeChannels::Connect(const v1::NodeAddress& node,
                                                                     absl::Duration timeout) const {
  const ExpectedPeer peer = node.node_id().empty() ? ExpectedPeer::AnyNode() : ExpectedPeer::Node(node.node_id());
  std::string reasons;
  for (const std::string& endpoint : node.endpoints()) {
    std::shared_ptr<grpc::Channel> channel = MakeChannel(endpoint, identity_, peer);
    if (channel->WaitForConnected(absl::ToChronoTime(absl::Now() + timeout))) return channel;
    const absl::Status why = DiagnoseChannel(endpoint, identity_, peer, absl::Now(), timeout);
    absl::StrAppend(&reasons, "; ", endpoint, ": ", why.ok() ? "did not answer in time" : ToString(why.message()));
  }
  if (node.endpoints().empty()) reasons = "; it has no endpoints";
  return absl::UnavailableError(absl::StrCat("node ", node.node_id(), " cannot be reached", reasons));
}

}  // namespace enigma::worker
