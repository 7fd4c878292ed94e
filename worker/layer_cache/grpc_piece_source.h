#pragma once

#include <memory>
#include <string>

#include <grpcpp/channel.h>

#include "proto/worker.grpc.pb.h"
#include "worker/layer_cache/piece_source.h"

namespace enigma::worker {

// The Content service of another node. Thread-safe.
class GrpcPieceSource : public PieceSource {
 public:
  GrpcPieceSource(std::string name, const std::shared_ptr<grpc::Channel>& channel)
      : name_(std::move(name)), stub_(v1::Content::NewStub(channel)) {}

  std::string name() const override { return name_; }
  absl::StatusOr<std::vector<bool>> Has(const std::vector<engine::Sha256>& hashes) override;
  absl::Status Read(const engine::Sha256& hash, uint64_t offset,
                    absl::FunctionRef<absl::Status(std::string_view)> sink) override;

 private:
  const std::string name_;
  const std::unique_ptr<v1::Content::Stub> stub_;
};

}  // namespace enigma::worker
