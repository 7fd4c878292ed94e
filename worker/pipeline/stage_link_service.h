#pragma once

#include <functional>
#include <memory>

#include <absl/status/statusor.h>
#include <grpcpp/generic/async_generic_service.h>

#include "rpc/authorisation.h"
#include "worker/pipeline/frame_receiver.h"

namespace enigma::worker {

// The receiving end of links: accepts streams of kStageLinkMethod from workers of the cluster and hands their frames on
// raw. Calls of other names are answered UNIMPLEMENTED. Thread-safe. Register with ServerBuilder, and let it outlive
// the server.
class StageLinkService : public grpc::CallbackGenericService {
 public:
  // Who takes the frames of this peer, or why nobody does. Called on gRPC's threads; must not block. The receiver is
  // shared because a stage may be unloaded while its peers still send.
  using Find = std::function<absl::StatusOr<std::shared_ptr<FrameReceiver>>(const LinkPeer& peer)>;
  StageLinkService(const Authoriser& authoriser, Find find) : authoriser_(authoriser), find_(std::move(find)) {}

  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override;

 private:
  absl::StatusOr<LinkPeer> PeerOf(const grpc::GenericCallbackServerContext& context) const;

  const Authoriser authoriser_;
  const Find find_;
};

}  // namespace enigma::worker
