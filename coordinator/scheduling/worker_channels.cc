#include "coordinator/scheduling/worker_channels.h"

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include "rpc/channel.h"

namespace enigma::coordinator {

absl::StatusOr<std::shared_ptr<grpc::Channel>> WorkerChannels::Connect(const Node& node, absl::Duration timeout) {
  {
    absl::MutexLock lock(&mutex_);
    const auto found = entries_.find(node.id);
    if (found != entries_.end() && found->second.incarnation == node.hello.incarnation()) return found->second.channel;
  }
  std::string tried;
  for (const std::string& endpoint : node.endpoints) {
    const ExpectedPeer peer = ExpectedPeer::Node(node.id);
    std::shared_ptr<grpc::Channel> channel = MakeChannel(endpoint, identity_, peer);
    if (channel->WaitForConnected(absl::ToChronoTime(absl::Now() + timeout))) {
      absl::MutexLock lock(&mutex_);
      entries_.insert_or_assign(node.id, Entry{node.hello.incarnation(), channel});
      return channel;
    }
    const absl::Status why = DiagnoseChannel(endpoint, identity_, peer, absl::Now(), timeout);
    absl::StrAppend(&tried, tried.empty() ? "" : "; ", endpoint, ": ",
                    why.ok() ? "it answers now, but not in time" : std::string(why.message()));
  }
  return absl::UnavailableError(
      absl::StrCat("cannot reach node ", node.Label(), ": ", tried.empty() ? "it told no address" : tried));
}

void WorkerChannels::Forget(std::string_view node_id) {
  absl::MutexLock lock(&mutex_);
  if (const auto found = entries_.find(node_id); found != entries_.end()) entries_.erase(found);
}

}  // namespace enigma::coordinator
