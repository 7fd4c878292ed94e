#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include <absl/base/thread_annotations.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>
#include <grpcpp/channel.h>

#include "coordinator/state/node.h"
#include "rpc/identity.h"

namespace enigma::coordinator {

// One connection to each worker, on the first of its addresses that answers. Thread-safe.
class WorkerChannels {
 public:
  // A null identity dials without TLS. The identity must outlive this.
  explicit WorkerChannels(const NodeIdentity* identity) : identity_(identity) {}

  // Dials where needed, at most `timeout` per address. UNAVAILABLE says what every address answered.
  absl::StatusOr<std::shared_ptr<grpc::Channel>> Connect(const Node& node, absl::Duration timeout = absl::Seconds(2));
  void Forget(std::string_view node_id);

 private:
  struct Entry {
    uint64_t incarnation = 0;
    std::shared_ptr<grpc::Channel> channel;
  };
  const NodeIdentity* const identity_;
  absl::Mutex mutex_;
  std::map<std::string, Entry, std::less<>> entries_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace enigma::coordinator
