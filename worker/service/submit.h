#pragma once

#include <absl/status/status.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/sync_stream.h>

#include "proto/worker.grpc.pb.h"
#include "worker/service/stage_registry.h"

namespace enigma::worker {

// Serves a Submit stream to its end, then drops the replica's sequences. Starts one thread, for the replies.
absl::Status ServeSubmit(StageRegistry& stages, grpc::ServerContext& context,
                         grpc::ServerReaderWriter<v1::SubmitReply, v1::SequenceCommand>& stream);

}  // namespace enigma::worker
