#pragma once

#include <memory>
#include <optional>
#include <string>

#include <absl/status/statusor.h>
#include <absl/time/time.h>
#include <grpcpp/channel.h>

#include "cli/cluster/cluster_flags.h"
#include "proto/cluster.grpc.pb.h"
#include "proto/inference.grpc.pb.h"
#include "proto/training.grpc.pb.h"
#include "rpc/identity.h"

namespace enigma::cli {

// The coordinator as the commands see it. Thread-safe.
class ClusterClient {
 public:
  // Reads address and keys, and connects: at once fails what waiting cannot mend (nobody listens, another cluster's
  // certificate); a coordinator that is there but busy is waited for, --connect-timeout at most. Errors say what is
  // missing and how to start a cluster.
  static absl::StatusOr<std::unique_ptr<ClusterClient>> Open(const ClusterFlags& flags);

  v1::Cluster::Stub& cluster() { return *cluster_; }
  v1::Inference::Stub& inference() { return *inference_; }
  v1::Training::Stub& training() { return *training_; }
  const std::string& endpoint() const { return endpoint_; }
  const NodeIdentity* identity() const { return identity_ ? &*identity_ : nullptr; }

  // A failed call as a sentence; for a coordinator that cannot be reached or trusted, why.
  absl::Status Explain(const grpc::Status& status) const;

 private:
  ClusterClient() = default;
  absl::Status Connect(absl::Duration patience);
  absl::Status NobodyThere(const absl::Status& reason) const;
  // Looks at the coordinator's port for at most `time`. OK: nothing definite is wrong.
  absl::Status LookForFault(absl::Duration time) const;

  std::string endpoint_;
  std::string origin_;  // where the address came from, for messages
  std::optional<NodeIdentity> identity_;
  std::shared_ptr<grpc::Channel> channel_;
  std::unique_ptr<v1::Cluster::Stub> cluster_;
  std::unique_ptr<v1::Inference::Stub> inference_;
  std::unique_ptr<v1::Training::Stub> training_;
};

// A context for calls that answer at once.
std::unique_ptr<grpc::ClientContext> QuickCall(absl::Duration timeout = absl::Seconds(30));

}  // namespace enigma::cli
