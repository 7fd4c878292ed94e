#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

namespace enigma::engine {

struct GlooOptions {
  // By which the other ranks' machines know this one, best first; Gloo listens on one of them, on ports of its own.
  std::vector<std::string> hosts;
  // Most that a piece of 256 KiB may take, once all ranks are in the same operation.
  absl::Duration timeout = absl::Seconds(5);
  absl::Duration connect_timeout = absl::Seconds(10);  // for each peer
};

// The sockets of one rank in one epoch, through Gloo: plain TCP, neither encrypted nor authenticated, and Gloo ends the
// process where a stranger speaks its protocol wrongly to one of them. One thread calls, but for Interrupt. Gloo's
// exceptions end here: they are Unavailable. After an error nothing works any more.
//
// Gloo trusts its callers to be in the same operation, of the same size; whoever uses this has to see to it.
class GlooMesh {
 public:
  GlooMesh(uint32_t rank, uint32_t size, GlooOptions options);
  // What was sent still arrives; who wants more gets an error.
  ~GlooMesh();

  // By rank, how the peer reaches the socket that is for it; empty for this rank.
  absl::StatusOr<std::vector<std::vector<uint8_t>>> Listen();
  // What the peers' Listen gave for this rank. Waits for all of them.
  absl::Status Connect(const std::vector<std::vector<uint8_t>>& addresses);
  // In place; sums wrap around. `tag` is of this operation alone.
  absl::Status Sum(std::span<int64_t> values, uint32_t tag);
  absl::Status Broadcast(std::span<uint8_t> bytes, uint32_t root, uint32_t tag);

  // Ends what is under way within some 10 ms for each peer, and closes all sockets. From any thread.
  void Interrupt();

 private:
  class Transport;
  class Context;

  const int rank_;
  const int size_;
  const GlooOptions options_;
  absl::Mutex mutex_;
  bool interrupted_ ABSL_GUARDED_BY(mutex_) = false;
  std::shared_ptr<Transport> transport_ ABSL_GUARDED_BY(mutex_);  // shared with what Gloo has of it
  std::shared_ptr<Context> context_;                              // as Gloo's operations want it
};

}  // namespace enigma::engine
