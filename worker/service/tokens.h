#pragma once

#include <absl/status/status.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/sync_stream.h>

#include "proto/worker.grpc.pb.h"
#include "worker/service/stage_registry.h"

namespace enigma::worker {

// Serves a Tokens stream until the reader goes, another takes its place, or the stage is unloaded.
absl::Status ServeTokens(StageRegistry& stages, const v1::TokensRequest& request, grpc::ServerContext& context,
                         grpc::ServerWriter<v1::TokenEvents>& writer);

}  // namespace enigma::worker
