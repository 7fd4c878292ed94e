#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>
#include <absl/synchronization/notification.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include "base/clock.h"
#include "discovery/node_source.h"
#include "proto/membership.grpc.pb.h"
#include "rpc/identity.h"

namespace enigma::worker {

// A worker's place in its cluster: finds the coordinator, keeps one stream to it, sends heartbeats from a thread of its
// own (so that a busy worker is never called dead), reports failures and obeys. Comes back after a coordinator's
// restart.
class Attendance {
 public:
  struct Options {
    // What the worker says of itself; asked anew for each connection.
    std::function<v1::WorkerHello()> hello;
    // Fills everything but sequence and time. Must not wait for anything that computes.
    std::function<void(v1::Heartbeat&)> describe;
    // The stream has ended: the coordinator knows nothing of this worker's stages any more.
    std::function<void()> on_disconnected;
    const NodeIdentity* identity = nullptr;  // null: --insecure
    absl::Duration reconnect_first = absl::Milliseconds(100);
    absl::Duration reconnect_most = absl::Seconds(2);
  };
  explicit Attendance(Options options, const Clock& clock = Clock::System());

  // Until Stop (OK), or a reason that another attempt cannot mend: the wrong cluster, clocks that differ too much, an
  // order to leave. Call once.
  absl::Status Run(const NodeSource& source);
  void Stop();
  // Tells the coordinator; kept until it is connected, but not across connections. Thread-safe, does not wait.
  void Report(const v1::ReplicaFailure& failure);
  // Likewise: what became known since the hello. The hello of a later connection has it.
  void Report(const v1::Capability& capability);
  bool connected() const { return connected_; }

 private:
  using Stream = grpc::ClientReaderWriter<v1::WorkerReport, v1::CoordinatorOrder>;

  absl::StatusOr<std::shared_ptr<grpc::Channel>> FindCoordinator(const NodeSource& source);
  absl::Status Attend(const std::shared_ptr<grpc::Channel>& channel);
  absl::Status Serve(Stream& stream);
  void SendHeartbeats(Stream& stream, absl::Duration every, const std::atomic<bool>& ended);
  bool SendOne(Stream& stream, uint64_t sequence);
  void LogWaiting(const absl::Status& why);

  const Options options_;
  const Clock& clock_;
  absl::Notification stopping_;
  std::atomic<bool> connected_{false};
  absl::Duration last_logged_;

  absl::Mutex mutex_;
  grpc::ClientContext* context_ ABSL_GUARDED_BY(mutex_) = nullptr;  // of the stream in progress
  std::vector<v1::ReplicaFailure> failures_ ABSL_GUARDED_BY(mutex_);
  std::optional<v1::Capability> capability_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace enigma::worker
