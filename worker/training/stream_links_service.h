#pragma once

#include <absl/status/statusor.h>
#include <grpcpp/generic/async_generic_service.h>

#include "rpc/authorisation.h"
#include "worker/training/incoming_streams.h"

namespace enigma::worker {

// gRPC method and metadata of a link between two ranks of a job. docs/wire.md has the frames.
inline constexpr char kRankLinkMethod[] = "/enigma.v1.RankLink/Stream";
inline constexpr char kJobMetadata[] = "enigma-job";
inline constexpr char kEpochMetadata[] = "enigma-epoch";
inline constexpr char kRankNodeMetadata[] = "enigma-node";  // the sender's; believed only where nodes prove nothing

// The receiving end of links between ranks: accepts streams of kRankLinkMethod from workers of the cluster that are
// ranks of an epoch that is open here. Calls of other names are answered UNIMPLEMENTED; a server has one generic
// service, so connection/method_router.h stands before this one and the stages'. Thread-safe. Outlives the server.
class StreamLinksService : public grpc::CallbackGenericService {
 public:
  StreamLinksService(const Authoriser& authoriser, IncomingStreams& incoming)
      : authoriser_(authoriser), incoming_(incoming) {}

  grpc::ServerGenericBidiReactor* CreateReactor(grpc::GenericCallbackServerContext* context) override;

 private:
  absl::StatusOr<grpc::ServerGenericBidiReactor*> Accept(grpc::GenericCallbackServerContext* context) const;

  const Authoriser authoriser_;
  IncomingStreams& incoming_;
};

}  // namespace enigma::worker
