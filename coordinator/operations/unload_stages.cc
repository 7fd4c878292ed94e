#include "coordinator/operations/unload_stages.h"

#include <set>
#include <string>
#include <thread>
#include <vector>

#include <absl/time/clock.h>

#include "base/status_macros.h"
#include "proto/worker.grpc.pb.h"
#include "rpc/status_conversion.h"
#include "telemetry/log.h"

namespace enigma::coordinator {
namespace {

constexpr absl::Duration kUnloadTimeout = absl::Seconds(10);

}  // namespace

absl::Status UnloadStage(ControlPlane& plane, const Node& node, uint64_t replica) {
  ENIGMA_ASSIGN_OR_RETURN(const std::shared_ptr<grpc::Channel> channel, plane.channels.Connect(node));
  const auto stub = enigma::v1::Worker::NewStub(channel);
  grpc::ClientContext context;
  context.set_deadline(absl::ToChronoTime(absl::Now() + kUnloadTimeout));
  enigma::v1::UnloadStageRequest request;
  request.set_replica(replica);
  enigma::v1::UnloadStageReply reply;
  const absl::Status status = FromGrpc(stub->UnloadStage(&context, request, &reply));
  return absl::IsNotFound(status) ? absl::OkStatus() : status;
}

void UnloadStages(ControlPlane& plane, const Replica& replica) {
  std::vector<std::thread> calls;
  std::set<std::string> asked;  // a node may have two parts, which go together
  for (const auto& part : replica.Parts()) {
    if (!asked.insert(part.node_id()).second) continue;
    const std::optional<Node> node = plane.nodes.Find(part.node_id());
    if (!node || node->state != NodeState::kReady) continue;
    calls.emplace_back([&plane, node = *node, id = replica.id] {
      const absl::Status unloaded = UnloadStage(plane, node, id);
      if (!unloaded.ok()) LogWarn("node {} keeps a stage of replica {}: {}", node.Label(), id, Describe(unloaded));
    });
  }
  for (std::thread& call : calls) call.join();
}

}  // namespace enigma::coordinator
