#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <grpcpp/support/server_callback.h>

#include "coordinator/gateway/call_end.h"
#include "coordinator/gateway/executor.h"
#include "coordinator/gateway/generation.h"
#include "coordinator/gateway/request_router.h"
#include "coordinator/scheduling/intake.h"
#include "coordinator/scheduling/key_limits.h"
#include "proto/inference.grpc.pb.h"

namespace enigma::coordinator {

// One call of enigma.v1.Inference.Generate: writes what its generation makes, and in the initial metadata who answers
// and why. Of a routed one, another specialist may answer as long as nothing was written. Keeps itself until gRPC is
// done with it.
class GenerateStream final : public grpc::ServerWriteReactor<enigma::v1::GenerateChunk>,
                             public std::enable_shared_from_this<GenerateStream> {
 public:
  static std::shared_ptr<GenerateStream> Make(ControlPlane& plane, enigma::v1::GenerateRequest request,
                                              grpc::CallbackServerContext& context);

  // What the caller's limits let in, and for how long at most; before Begin.
  void Hold(Intake::Pass pass, KeyLease lease, absl::Duration time_max);
  // Ends it with an error, unless it has ended.
  void Fail(const absl::Status& why);

  const enigma::v1::GenerateRequest& request() const { return request_; }  // with empty pictures
  bool has_pictures() const { return pictures_ != nullptr; }
  // Hashes the pictures, and puts what tells them from others into the turns of the request's chat.
  void MarkPictures(std::vector<Turn>& turns) const;

  // Generation::Begin, by the model of the request; `hold`: of it.
  void Begin(SpecialistKeeper::Hold hold);
  // Likewise, by the models of the route. `executor`: where prompts are made. `admit`: lets a further attempt in, which
  // is a request of its own to the caller's limits.
  using Admit = std::function<absl::StatusOr<KeyLease>()>;
  void Follow(RequestRouter& router, RoutePtr route, Executor& executor, Admit admit);

  // ServerWriteReactor.
  void OnWriteDone(bool ok) override;
  void OnCancel() override;
  void OnDone() override;

 private:
  using Headers = std::vector<std::pair<std::string, std::string>>;

  GenerateStream(ControlPlane& plane, enigma::v1::GenerateRequest request, grpc::CallbackServerContext& context)
      : plane_(plane), pictures_(TakePictures(request)), request_(std::move(request)), context_(context) {}
  // Those of the request and of its messages, which keep an empty one for each.
  static std::shared_ptr<RequestPictures> TakePictures(enigma::v1::GenerateRequest& request);
  void BeginWith(const std::string& model, bool routed);
  void TryNext();
  void TakeChoice(const RequestRouter::Choice& choice);
  // After a model that failed: false when the caller's limits let no further attempt in.
  bool AdmitAgain();
  void CancelGeneration();
  void Pump();
  void WriteChunk() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  // True when another model is to be tried in place of this end, of a generation that counts no more.
  bool TriesAnother(const absl::Status& end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void FinishWith(const absl::Status& end) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndLease() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void EndLate();

  ControlPlane& plane_;
  const std::shared_ptr<RequestPictures> pictures_;  // null: none; shared with generations
  const enigma::v1::GenerateRequest request_;        // with an empty one for each
  grpc::CallbackServerContext& context_;             // there until OnDone
  std::shared_ptr<GenerateStream> self_;             // likewise
  TimeLimit time_limit_;
  absl::Duration deadline_ = absl::InfiniteDuration();  // on the plane's monotonic clock; since Hold
  // Of a routed one, since Follow.
  RequestRouter* router_ = nullptr;
  Executor* executor_ = nullptr;
  RoutePtr route_;
  Admit admit_;
  std::atomic<bool> unwanted_ = false;  // it has ended, so that no model is waited for

  absl::Mutex mutex_;
  std::shared_ptr<Generation> generation_ ABSL_GUARDED_BY(mutex_);  // null before it begins
  std::string model_ ABSL_GUARDED_BY(mutex_);                       // that answers
  SpecialistKeeper::Hold hold_ ABSL_GUARDED_BY(mutex_);             // of it
  Headers headers_ ABSL_GUARDED_BY(mutex_);
  KeyLease lease_ ABSL_GUARDED_BY(mutex_);
  Intake::Pass pass_ ABSL_GUARDED_BY(mutex_);
  enigma::v1::GenerateChunk writing_ ABSL_GUARDED_BY(mutex_);
  bool has_written_ ABSL_GUARDED_BY(mutex_) = false;
  bool is_writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool choosing_ ABSL_GUARDED_BY(mutex_) = false;  // another model is looked for
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;  // Finish was called
};

}  // namespace enigma::coordinator
