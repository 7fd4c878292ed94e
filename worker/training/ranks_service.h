#pragma once

#include "proto/rank.grpc.pb.h"
#include "rpc/authorisation.h"
#include "worker/training/rank_registry.h"

namespace enigma::worker {

// What the coordinator asks of this worker's ranks, and other workers of their states. Thread-safe. A stream occupies a
// thread of gRPC's while it lasts; none of them computes.
class RanksService final : public v1::Ranks::Service {
 public:
  RanksService(RankRegistry& ranks, const Authoriser& authoriser) : ranks_(ranks), authoriser_(authoriser) {}

  grpc::Status Run(grpc::ServerContext* context,
                   grpc::ServerReaderWriter<v1::RankEvent, v1::RankOrder>* stream) override;
  grpc::Status FetchState(grpc::ServerContext* context, const v1::FetchStateRequest* request,
                          grpc::ServerWriter<v1::FileChunk>* writer) override;

 private:
  RankRegistry& ranks_;
  const Authoriser authoriser_;
};

}  // namespace enigma::worker
