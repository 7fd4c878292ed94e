#include "coordinator/gateway/membership_service.h"

#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "rpc/join.h"
#include "rpc/status_conversion.h"
#include "telemetry/log.h"

namespace enigma::coordinator {

// One worker's stream; deletes itself when gRPC is done with it.
class MembershipService::Attendance final
    : public grpc::ServerBidiReactor<enigma::v1::WorkerReport, enigma::v1::CoordinatorOrder> {
 public:
  Attendance(MembershipService& service, Peer peer, std::string host)
      : service_(service), peer_(std::move(peer)), host_(std::move(host)) {
    absl::MutexLock lock(&service_.mutex_);
    service_.attendances_.insert(this);
    if (service_.stopping_.ok()) {
      StartRead(&report_);
    } else {
      Close(service_.stopping_);
    }
  }

  void OnReadDone(bool ok) override {
    if (!ok) return End("its process closed the stream", absl::OkStatus());
    if (report_.has_hello()) {
      TakeHello();
    } else if (report_.has_heartbeat()) {
      TakeHeartbeat();
    } else if (report_.has_capability()) {
      service_.plane_.nodes.Measured(hello_.node_id(), hello_.incarnation(), report_.capability());
    } else if (report_.has_failure()) {
      TakeFailure();
    }
    absl::MutexLock lock(&mutex_);
    if (!finished_) StartRead(&report_);
  }

  void OnCancel() override { End("its connection was reset", absl::CancelledError("the connection was reset")); }
  void OnWriteDone(bool) override {}
  void OnDone() override {
    // gRPC calls this behind all others, by counts of its own; the mutex shows the same order to everybody.
    { absl::MutexLock lock(&mutex_); }
    {
      absl::MutexLock lock(&service_.mutex_);
      service_.attendances_.erase(this);
    }
    delete this;
  }

  // Ends the stream with `status`; says nothing of the node.
  void Close(const absl::Status& status) {
    absl::MutexLock lock(&mutex_);
    if (!std::exchange(finished_, true)) Finish(ToGrpc(status));
  }

  // The id is free now. Called with the service's mutex held, while this is contested.
  void Admit() {
    if (absl::Status attended = service_.plane_.nodes.Attend(hello_, host_); !attended.ok()) {
      return Refuse(attended);
    }
    Welcome();
  }

  void Refuse(const absl::Status& why) {
    LogWarn("{}", std::string(why.message()));
    if (absl::IsAlreadyExists(why)) service_.plane_.metrics.Counter(Metric::kDuplicateNodeIds).Increment();
    order_.set_leave(std::string(why.message()));
    absl::MutexLock lock(&mutex_);
    if (std::exchange(finished_, true)) return;
    StartWriteAndFinish(&order_, grpc::WriteOptions(), ToGrpc(why));
  }

  const absl::Status& contest() const { return contest_; }

 private:
  void TakeHello() {
    if (!hello_.node_id().empty()) {
      return End("it broke the protocol", absl::InvalidArgumentError("a second hello on one stream"));
    }
    hello_ = report_.hello();
    if (hello_.node_id().empty() || hello_.grpc_port() == 0 || hello_.grpc_port() > 65535) {
      hello_.clear_node_id();
      return End("", absl::InvalidArgumentError("a hello needs node_id and grpc_port"));
    }
    if (!peer_.unproved && (peer_.role != Role::kWorker || peer_.node_id != hello_.node_id())) {
      const std::string claimed = hello_.node_id();
      hello_.clear_node_id();
      return End(
          "", absl::PermissionDeniedError(absl::StrCat("the certificate is of ", std::string(RoleName(peer_.role)), " ",
                                                       peer_.node_id, ", not of worker ", claimed)));
    }
    absl::MutexLock lock(&service_.mutex_);
    if (!service_.stopping_.ok()) return Close(service_.stopping_);
    const absl::Status attended = service_.plane_.nodes.Attend(hello_, host_);
    if (attended.ok()) return Welcome();
    if (!absl::IsAlreadyExists(attended) || service_.contested_.contains(hello_.node_id())) return Refuse(attended);
    // A process that was restarted in an instant meets its own last stream, about to end. Only when the other one is
    // heard again are there two.
    contest_ = attended;
    service_.contested_[hello_.node_id()] = this;
  }

  void TakeHeartbeat() {
    {
      absl::MutexLock lock(&service_.mutex_);
      const auto contested = service_.contested_.find(hello_.node_id());
      if (contested != service_.contested_.end()) {
        if (contested->second == this) return;  // not a node yet
        Attendance* other = contested->second;
        service_.contested_.erase(contested);
        other->Refuse(other->contest());
      }
    }
    if (service_.plane_.nodes.Heartbeat(hello_.node_id(), hello_.incarnation(), report_.heartbeat())) return;
    End("", absl::UnavailableError("this node was declared dead because it was silent; attend again"));
  }

  void TakeFailure() {
    const enigma::v1::ReplicaFailure& failure = report_.failure();
    LogWarn("node {} reports on replica {}: {}", hello_.node_id(), failure.replica(), failure.reason());
    const auto label = [this](const std::string& id) {
      const auto node = service_.plane_.nodes.Find(id);
      return node ? node->Label() : id;
    };
    FailureReport report{.node = hello_.node_id(), .lost = failure.peer_node(), .reason = ""};
    report.reason = absl::StrCat(
        "node ", label(report.node),
        report.lost.empty() ? " failed: " : absl::StrCat(" lost node ", label(report.lost), ": "), failure.reason());
    service_.report_failure_(failure.replica(), std::move(report));
  }

  void Welcome() {
    LogInfo("node {} ({}) attends", hello_.node_id(), hello_.host_name());
    auto* welcome = order_.mutable_welcome();
    welcome->set_heartbeat_ms(service_.options_.heartbeat_ms);
    welcome->set_silence_ms(service_.options_.silence_ms);
    welcome->set_server_time_unix_ms(absl::ToUnixMillis(service_.plane_.clock.Now()));
    absl::MutexLock lock(&mutex_);
    if (!finished_) StartWrite(&order_);
  }

  // Ends the stream with `status`; the node dies of `reason`, unless that is empty.
  void End(const std::string& reason, const absl::Status& status) {
    {
      absl::MutexLock lock(&service_.mutex_);
      if (!service_.stopping_.ok()) return Close(service_.stopping_);  // the stream ends because of this side
      const auto contested = service_.contested_.find(hello_.node_id());
      if (contested != service_.contested_.end() && contested->second == this) service_.contested_.erase(contested);
    }
    if (!reason.empty() && !hello_.node_id().empty()) {
      service_.plane_.nodes.MarkDead(hello_.node_id(), hello_.incarnation(), reason);
    }
    Close(status);
  }

  MembershipService& service_;
  const Peer peer_;
  const std::string host_;  // where the stream comes from
  enigma::v1::WorkerReport report_;
  enigma::v1::WorkerHello hello_;  // empty before it came
  absl::Status contest_;           // what is said when the id stays another's
  enigma::v1::CoordinatorOrder order_;
  absl::Mutex mutex_;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

namespace {

// A stream that is refused before it begins.
class RefusedAttendance final : public grpc::ServerBidiReactor<enigma::v1::WorkerReport, enigma::v1::CoordinatorOrder> {
 public:
  explicit RefusedAttendance(const absl::Status& why) { Finish(ToGrpc(why)); }
  void OnDone() override { delete this; }
};

}  // namespace

MembershipService::MembershipService(ControlPlane& plane, const Access& access, const Options& options,
                                     ReportFailure report_failure)
    : plane_(plane),
      access_(access),
      options_(options),
      report_failure_(std::move(report_failure)),
      joins_(options.joins) {}

// The server has ended, and every attendance has left; the mutex shows to everybody that they did so before.
MembershipService::~MembershipService() { absl::MutexLock lock(&mutex_); }

grpc::Status MembershipService::Join(grpc::ServerContext* context, const enigma::v1::JoinRequest* request,
                                     enigma::v1::JoinReply* reply) {
  absl::StatusOr<enigma::v1::JoinReply> answer = Answer(context->peer(), *request);
  const char* result = answer.ok() ? "accepted" : "refused";
  plane_.metrics.Counter(Metric::kJoins, {{"result", result}}).Increment();
  if (!answer.ok()) {
    LogWarn("{} may not join as {}: {}", HostOfPeer(context->peer()), request->node_id(), Describe(answer.status()));
    return ToGrpc(answer.status());
  }
  LogInfo("{} joins as {}", HostOfPeer(context->peer()), request->node_id());
  *reply = *std::move(answer);
  return grpc::Status::OK;
}

absl::StatusOr<enigma::v1::JoinReply> MembershipService::Answer(const std::string& peer,
                                                                const enigma::v1::JoinRequest& request) {
  if (plane_.authority == nullptr) {
    return absl::FailedPreconditionError("this cluster runs with --insecure; start the worker with --insecure too");
  }
  {
    absl::MutexLock lock(&mutex_);
    if (!joins_.Allow(HostOfPeer(peer), plane_.clock.Now())) {
      return absl::ResourceExhaustedError("too many attempts to join from this address; wait a few seconds");
    }
  }
  return AnswerJoin(
      request, *plane_.authority, [this](const std::string& token_id) { return plane_.tokens.Find(token_id); },
      plane_.clock);
}

grpc::ServerBidiReactor<enigma::v1::WorkerReport, enigma::v1::CoordinatorOrder>* MembershipService::Attend(
    grpc::CallbackServerContext* context) {
  absl::StatusOr<Peer> peer = access_.ForNodes(*context);
  if (!peer.ok()) return new RefusedAttendance(peer.status());
  return new Attendance(*this, *std::move(peer), HostOfPeer(context->peer()));
}

void MembershipService::Stop(const std::string& why) {
  absl::MutexLock lock(&mutex_);
  stopping_ = absl::UnavailableError(why);
  contested_.clear();
  for (Attendance* attendance : attendances_) attendance->Close(stopping_);
}

void MembershipService::NodeDied(const std::string& node_id) {
  absl::MutexLock lock(&mutex_);
  const auto contested = contested_.find(node_id);
  if (contested == contested_.end()) return;
  Attendance* newcomer = contested->second;
  contested_.erase(contested);
  newcomer->Admit();
}

}  // namespace enigma::coordinator
