#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include <absl/status/statusor.h>
#include <grpcpp/channel.h>

#include "engine/checkpoint/safetensors_writer.h"
#include "proto/rank.grpc.pb.h"
#include "worker/layer_cache/layer_cache.h"
#include "worker/layer_cache/piece_fetcher.h"
#include "worker/training/stop_signal.h"

namespace enigma::worker {

// The coordinator's files of a job, seen from a rank. Functions wait for the network, and end soon after the signal.

// Brings a file into the cache, on from where it broke off before; what is there already is not moved. Asks a few times
// while something comes. InvalidArgument where `file` has no hash; DataLoss where the content is not what the hash
// says.
absl::Status FetchJobFile(const std::shared_ptr<grpc::Channel>& coordinator, uint64_t job, const v1::JobFile& file,
                          LayerCache& cache, FetchProgress& progress, const StopSignal& stop);

// Something that is written in order, as often as asked, each time the same.
using WriteBytes = std::function<absl::Status(const engine::ByteSink& sink)>;

// Stores what `write` writes: once for its length and hash, which `head` gets, and once more to be sent. OK once the
// coordinator has it safely; one that has it already, or a newer one, does not take it to its end.
absl::Status StoreJobFile(const std::shared_ptr<grpc::Channel>& coordinator, v1::StoreJobFileRequest::Head head,
                          const WriteBytes& write, const StopSignal& stop);
// Likewise a file on disk.
absl::Status StoreJobFile(const std::shared_ptr<grpc::Channel>& coordinator, v1::StoreJobFileRequest::Head head,
                          const std::string& path, const StopSignal& stop);

// Cuts what is written into pieces of a size that suits messages.
class Chunks {
 public:
  explicit Chunks(std::function<absl::Status(std::string piece)> send) : send_(std::move(send)) {}
  absl::Status Add(std::span<const uint8_t> bytes);
  absl::Status Finish();  // what is left

 private:
  const std::function<absl::Status(std::string piece)> send_;
  std::string piece_;
};

}  // namespace enigma::worker
