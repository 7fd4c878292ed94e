#pragma once

#include <functional>
#include <map>
#include <set>
#include <string>

#include <absl/base/thread_annotations.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "coordinator/background/blame.h"
#include "coordinator/gateway/access.h"
#include "coordinator/operations/control_plane.h"
#include "discovery/rate_limiter.h"
#include "proto/membership.grpc.pb.h"

namespace enigma::coordinator {

// enigma.v1.Membership. Join runs on gRPC's synchronous threads, the streams of Attend on its callback threads.
class MembershipService final
    : public enigma::v1::Membership::WithCallbackMethod_Attend<enigma::v1::Membership::Service> {
 public:
  struct Options {
    uint32_t heartbeat_ms = 200;
    uint32_t silence_ms = 1000;
    // Attempts to join from one address; a guess at a token is hopeless, but costs a signature check.
    RateLimiter::Options joins = {.per_second = 2, .burst = 20, .keys_max = 4096};
  };
  // A worker says that it cannot go on with a replica.
  using ReportFailure = std::function<void(uint64_t replica, FailureReport report)>;

  MembershipService(ControlPlane& plane, const Access& access, const Options& options, ReportFailure report_failure);
  ~MembershipService() override;

  grpc::Status Join(grpc::ServerContext* context, const enigma::v1::JoinRequest* request,
                    enigma::v1::JoinReply* reply) override;
  grpc::ServerBidiReactor<enigma::v1::WorkerReport, enigma::v1::CoordinatorOrder>* Attend(
      grpc::CallbackServerContext* context) override;

  // Ends every stream, so that nobody is taken for dead when the server goes, and refuses new ones.
  void Stop(const std::string& why);

  // A node was declared dead: a newcomer that claims its id may have it.
  void NodeDied(const std::string& node_id);

 private:
  class Attendance;

  absl::StatusOr<enigma::v1::JoinReply> Answer(const std::string& peer, const enigma::v1::JoinRequest& request);

  ControlPlane& plane_;
  const Access& access_;
  const Options options_;
  const ReportFailure report_failure_;
  absl::Mutex mutex_;
  absl::Status stopping_ ABSL_GUARDED_BY(mutex_);              // why, once it is so
  std::set<Attendance*> attendances_ ABSL_GUARDED_BY(mutex_);  // borrowed; each leaves before it goes
  RateLimiter joins_ ABSL_GUARDED_BY(mutex_);
  // Streams whose node id another, seemingly live, process has: they are admitted when that one ends, and refused when
  // it is heard again. By node id; borrowed, removed before the stream ends.
  std::map<std::string, Attendance*> contested_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace enigma::coordinator
