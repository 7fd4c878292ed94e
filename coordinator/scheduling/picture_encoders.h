#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>
#include <grpcpp/channel.h>

#include "coordinator/state/replica.h"

namespace enigma::coordinator {

// [rows, width] of the pictures of a request, which its choices share.
using PictureRows = std::shared_ptr<const std::vector<float>>;

// The image encoders of replicas in service. A picture goes to any encoder of its model, since all give the same bits,
// and to another where one is lost, too busy or too slow. Thread-safe.
class PictureEncoders {
 public:
  using Done = std::function<void(absl::StatusOr<std::vector<float>> rows)>;
  // One picture under way.
  class Call;
  using CallPtr = std::shared_ptr<Call>;  // shared with the answer that comes

  // A picture takes a fraction of a second, and a worker lets a few dozen wait.
  struct Options {
    absl::Duration attempt_max = absl::Minutes(1);  // for one encoder to answer where another is left
    absl::Duration call_max = absl::Minutes(2);     // for a picture, however many encoders are tried
  };

  PictureEncoders() : PictureEncoders(Options()) {}
  explicit PictureEncoders(const Options& options) : options_(options) {}
  ~PictureEncoders() { Close(absl::UnavailableError("the coordinator is stopping")); }

  // A replica with an encoder, at the worker behind `channel`.
  void Add(const Replica& replica, const std::shared_ptr<grpc::Channel>& channel);
  // What is under way there goes to another encoder of the model, or ends with `why`. Nothing when it is not here.
  void Remove(uint64_t replica, const absl::Status& why);
  // Others are preferred to one that is stalled or retires. Nothing when it is not here.
  void SetStalled(uint64_t replica, bool stalled);
  void SetRetiring(uint64_t replica, bool retiring);
  // Ends what is under way, and takes nothing more. Blocks until all answers have come; not to be called from one.
  void Close(const absl::Status& why);

  // Rows for `image`, a JPEG or PNG file. `done` is called once, here or on a gRPC thread: INVALID_ARGUMENT where the
  // picture is none, UNAVAILABLE where no encoder is left or all were too slow, RESOURCE_EXHAUSTED where the last has
  // too much to do.
  CallPtr Encode(const std::string& model, std::shared_ptr<const std::string> image, Done done);
  // Nobody wants it any more; `done` still comes.
  void Cancel(const CallPtr& call);

  // A request is to be submitted to the model once it has rows, from now until EndRequest.
  void BeginRequest(const std::string& model);
  void EndRequest(const std::string& model);
  size_t RequestsOf(std::string_view model) const;
  // Whether pictures are under way at the replica's encoder.
  bool HasWork(uint64_t replica) const;

 private:
  struct InService;
  struct Attempt;
  using InServicePtr = std::shared_ptr<InService>;  // shared with attempts, which outlast its removal

  void Start(const CallPtr& call);
  InServicePtr Find(uint64_t replica) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  InServicePtr Choose(const Call& call) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void Answered(const CallPtr& call, const std::shared_ptr<Attempt>& attempt, const absl::Status& status);
  void Settle(const CallPtr& call, const std::shared_ptr<Attempt>& attempt, const absl::Status& status);

  const Options options_;
  mutable absl::Mutex mutex_;
  std::map<uint64_t, InServicePtr> encoders_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<Attempt>> attempts_ ABSL_GUARDED_BY(mutex_);       // whose answer has not been dealt with
  std::map<std::string, size_t, std::less<>> requests_ ABSL_GUARDED_BY(mutex_);  // under way, by model
  absl::Status closed_ ABSL_GUARDED_BY(mutex_);                                  // why nothing is taken any more
};

}  // namespace enigma::coordinator
