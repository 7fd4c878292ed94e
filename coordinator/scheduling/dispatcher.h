#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>
#include <grpcpp/channel.h>

#include "base/clock.h"
#include "coordinator/scheduling/picture_encoders.h"
#include "coordinator/scheduling/replica_streams.h"
#include "coordinator/state/replica.h"
#include "proto/inference.pb.h"
#include "telemetry/metrics.h"

namespace enigma::coordinator {

// Who waits for the tokens of one request. Calls come on gRPC threads and must not block. A call may still be on its
// way while OnEnd comes from another thread; what comes after OnEnd is to be ignored.
class TokenSink {
 public:
  virtual ~TokenSink() = default;
  virtual void OnStart(const Replica& replica) = 0;  // it was handed to this replica
  virtual void OnTokens(std::span<const enigma::v1::TokenEvent* const> events) = 0;
  // Once, last: OK after an event with a finish reason, else why there will be no more.
  virtual void OnEnd(const absl::Status& status) = 0;
};

// Hands requests to replicas and tokens back to requests. Thread-safe.
class Dispatcher {
 public:
  struct Options {
    size_t running_max = 64;   // requests in one replica; its first stage batches them
    size_t waiting_max = 256;  // requests that wait for one model
    absl::Duration attach_timeout = absl::Seconds(10);
    const Clock* clock = &Clock::System();
  };
  // A replica's stream broke; called on a gRPC thread, without a lock. Its requests stay until RemoveReplica says why
  // they end.
  using BrokenListener = std::function<void(uint64_t replica, std::string_view node_id, const absl::Status& why)>;

  // A worker refused a request or gave it up; called likewise. The request stays until EndRequest, since the reason may
  // be a node's death, which others can tell better. Without a listener it ends at once.
  using RefusedListener = std::function<void(uint64_t replica, uint64_t ticket, const std::string& why)>;

  // `metrics` must outlive this.
  Dispatcher(const Options& options, Metrics& metrics) : options_(options), metrics_(metrics) {}
  ~Dispatcher();

  // Before the first replica.
  void SetBrokenListener(BrokenListener listener) { broken_ = std::move(listener); }
  void SetRefusedListener(RefusedListener listener) { refused_ = std::move(listener); }

  // Attaches the streams to the workers of the first and the last stage and puts the replica into service.
  absl::Status AddReplica(const Replica& replica, const std::shared_ptr<grpc::Channel>& first,
                          const std::shared_ptr<grpc::Channel>& last);
  // Ends its requests with `why`, and those that wait for the model when no other replica is left. Blocks until its
  // streams are closed; not to be called from a callback. OK when it is not here.
  void RemoveReplica(uint64_t replica, const absl::Status& why);

  // The image encoders of replicas that were added with one.
  PictureEncoders& encoders() { return encoders_; }

  // Nothing new comes to the replica: what runs in it goes on, and what waits for its model, or for rows of pictures,
  // still comes to it only where no other replica takes work. True when it is idle, so that RemoveReplica would end
  // nothing; also when it is not here.
  bool Retire(uint64_t replica);

  // As Retire, for all of these at once, and only where every one is idle: else nothing changes, and it is false.
  bool RetireIdle(std::span<const uint64_t> replicas);
  // They take work again, where they are still here.
  void Unretire(std::span<const uint64_t> replicas);

  // Others are preferred to a replica that has work and makes no progress. Nothing when it is not here.
  void SetStalled(uint64_t replica, bool stalled);

  // Removes every replica and takes no more requests.
  void Clear(const absl::Status& why);

  // A ticket for Cancel. `open` has all but sequence, epoch and `given`, which come of `rows` once it is sent; null:
  // there are none. Errors are those of Admit, where one with rows may also go to a replica that retires. Those that
  // wait run in the order of their turns (turn.h); where as many wait as may, the last gives way to one whose turn is
  // before its own.
  absl::StatusOr<uint64_t> Submit(std::string_view model, enigma::v1::Priority priority, enigma::v1::OpenSequence open,
                                  std::shared_ptr<TokenSink> sink, PictureRows rows = nullptr);
  // Whether Submit would take one right now: to be asked before work is put into a request.
  absl::Status Admits(std::string_view model, enigma::v1::Priority priority) const;
  // Its sink hears nothing more once this returns, save what is on its way. Unknown tickets are ignored: the request
  // may have ended.
  void Cancel(uint64_t ticket);

  // Ends a request with an error, if it is still there.
  void EndRequest(uint64_t ticket, const absl::Status& why);

  struct Load {
    size_t running = 0;
    size_t waiting = 0;  // for the model, whatever the replica
  };
  Load LoadOf(uint64_t replica) const;
  size_t running() const;

 private:
  // Turn and ticket: the smallest goes first.
  using Place = std::pair<absl::Duration, uint64_t>;
  struct Request {
    uint64_t ticket = 0;
    Place place;
    std::string model;
    uint64_t replica = 0;  // 0: waits
    enigma::v1::OpenSequence open;
    PictureRows rows;                 // until they are sent; touched by who starts it alone
    std::shared_ptr<TokenSink> sink;  // shared with the gateway's stream, which may end first
  };
  using RequestPtr = std::shared_ptr<Request>;
  struct InService {
    Replica replica;
    std::unique_ptr<ReplicaStreams> streams;
    size_t running = 0;
    bool broken = false;
    bool retiring = false;
    bool stalled = false;
    bool takes_work() const { return !broken && !retiring; }
  };
  using InServicePtr = std::shared_ptr<InService>;  // shared with callers that send while it is being removed

  void OnTokens(const enigma::v1::TokenEvents& events);
  void OnRefused(uint64_t replica, const enigma::v1::SubmitReply& reply);
  void OnBroken(uint64_t replica, bool of_first_stage, const absl::Status& why);
  // Opens the sequence on the replica; one with a schema once the last stage has compiled it.
  void Start(const RequestPtr& request, const InServicePtr& target);
  void SendOpen(const RequestPtr& request, InService& target);
  void NotPrepared(const Request& request, uint64_t replica, const absl::Status& why);
  // Starts what waits for the model, as far as there is room.
  void StartWaiting(const std::string& model);
  // `retiring_too`: by replicas that retire as well.
  absl::Status AdmitLocked(std::string_view model, absl::Duration turn, bool retiring_too) const
      ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  size_t WaitingFor(std::string_view model) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // Whether requests wait for the model, or for rows that they go to it with.
  bool IsAwaited(std::string_view model) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  bool AnyTakesWork(std::string_view model) const ABSL_SHARED_LOCKS_REQUIRED(mutex_);
  // Takes the request out of all books; null when it is in none.
  RequestPtr Extract(uint64_t ticket) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void CountModel(const std::string& model) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const Options options_;
  Metrics& metrics_;
  BrokenListener broken_;
  RefusedListener refused_;
  PictureEncoders encoders_;
  mutable absl::Mutex mutex_;
  std::map<uint64_t, InServicePtr> replicas_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<uint64_t, RequestPtr> requests_ ABSL_GUARDED_BY(mutex_);  // by ticket, which is the sequence id
  using Queue = std::map<Place, RequestPtr>;
  std::map<std::string, Queue, std::less<>> waiting_ ABSL_GUARDED_BY(mutex_);
  uint64_t next_ticket_ ABSL_GUARDED_BY(mutex_) = 1;
  absl::Status cleared_ ABSL_GUARDED_BY(mutex_);  // why nothing is taken any more
};

}  // namespace enigma::coordinator
