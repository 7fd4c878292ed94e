#pragma once

#include "proto/worker.grpc.pb.h"
#include "rpc/authorisation.h"
#include "telemetry/metrics.h"
#include "worker/layer_cache/layer_cache.h"

namespace enigma::worker {

// Serves whole pieces of the layer cache to workers and the coordinator. Thread-safe.
class ContentService final : public v1::Content::Service {
 public:
  ContentService(const LayerCache& cache, const Authoriser& authoriser, Metrics& metrics)
      : cache_(cache), authoriser_(authoriser), bytes_served_(metrics.Counter(Metric::kPieceBytesServed)) {}

  grpc::Status Fetch(grpc::ServerContext* context, const v1::FetchRequest* request,
                     grpc::ServerWriter<v1::FetchChunk>* writer) override;
  grpc::Status Has(grpc::ServerContext* context, const v1::HasRequest* request, v1::HasReply* reply) override;

 private:
  absl::Status Serve(const v1::FetchRequest& request, grpc::ServerWriter<v1::FetchChunk>& writer);

  const LayerCache& cache_;
  const Authoriser authoriser_;
  prometheus::Counter& bytes_served_;
};

}  // namespace enigma::worker
