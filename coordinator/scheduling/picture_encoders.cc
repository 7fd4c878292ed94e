#include "coordinator/scheduling/picture_encoders.h"

#include <algorithm>
#include <set>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>
#include <grpcpp/support/client_callback.h>

#include "proto/worker.grpc.pb.h"
#include "rpc/status_conversion.h"

namespace enigma::coordinator {
namespace {

// What another encoder may still do: the worker has this one no more, is gone, does not answer, or has too much to do.
bool TriesAnother(const absl::Status& status) {
  return absl::IsUnavailable(status) || absl::IsCancelled(status) || absl::IsNotFound(status) ||
         absl::IsDeadlineExceeded(status) || absl::IsResourceExhausted(status);
}

}  // namespace

// Guarded by the mutex of the PictureEncoders, but for what is constant, and what its one attempt alone touches.
class PictureEncoders::Call {
 public:
  std::string model;
  std::shared_ptr<const std::string> image;
  Done done;
  absl::Time deadline;
  std::set<uint64_t> tried;  // replicas
  absl::Status failure;      // of the last
  bool cancelled = false;
  std::shared_ptr<Attempt> attempt;

  // Keeps nothing of it: who asked may hold this call, and what it asks with may hold who asked.
  void End(absl::StatusOr<std::vector<float>> rows) {
    image = nullptr;
    const Done told = std::exchange(done, nullptr);
    told(std::move(rows));
  }
};

struct PictureEncoders::InService {
  uint64_t replica = 0;
  std::string model;
  std::string node_id;
  std::unique_ptr<enigma::v1::Worker::Stub> stub;
  size_t running = 0;
  bool stalled = false;
  bool retiring = false;
  absl::Status removed;  // why, once it is

  // The smallest is chosen.
  std::pair<bool, size_t> cost() const { return {stalled || retiring, running}; }
  absl::Status FailureOf(const absl::Status& status) const;
};

// What a request is told of an attempt here, where no other encoder is left.
absl::Status PictureEncoders::InService::FailureOf(const absl::Status& status) const {
  if (!removed.ok()) return removed;
  if (absl::IsResourceExhausted(status)) return status;
  return absl::UnavailableError(
      absl::StrCat("node ", node_id, ", which encodes pictures for '", model, "', ",
                   absl::IsDeadlineExceeded(status) ? "is too slow: " : "is lost: ", status.message()));
}

struct PictureEncoders::Attempt {
  InServicePtr encoder;
  grpc::ClientContext context;
  enigma::v1::EncodeRequest request;
  enigma::v1::EncodeReply reply;
};

void PictureEncoders::Add(const Replica& replica, const std::shared_ptr<grpc::Channel>& channel) {
  auto encoder = std::make_shared<InService>();
  encoder->replica = replica.id;
  encoder->model = replica.model->name;
  encoder->node_id = replica.encoder->node_id();
  encoder->stub = enigma::v1::Worker::NewStub(channel);
  absl::MutexLock lock(&mutex_);
  encoders_[replica.id] = std::move(encoder);
}

void PictureEncoders::Remove(uint64_t replica, const absl::Status& why) {
  absl::MutexLock lock(&mutex_);
  const auto found = encoders_.find(replica);
  if (found == encoders_.end()) return;
  found->second->removed = why;
  for (const auto& attempt : attempts_) {
    if (attempt->encoder == found->second) attempt->context.TryCancel();
  }
  encoders_.erase(found);
}

PictureEncoders::InServicePtr PictureEncoders::Find(uint64_t replica) const {
  const auto found = encoders_.find(replica);
  return found == encoders_.end() ? nullptr : found->second;
}

void PictureEncoders::SetStalled(uint64_t replica, bool stalled) {
  absl::MutexLock lock(&mutex_);
  if (const InServicePtr encoder = Find(replica)) encoder->stalled = stalled;
}

void PictureEncoders::SetRetiring(uint64_t replica, bool retiring) {
  absl::MutexLock lock(&mutex_);
  if (const InServicePtr encoder = Find(replica)) encoder->retiring = retiring;
}

void PictureEncoders::Close(const absl::Status& why) {
  absl::MutexLock lock(&mutex_);
  if (closed_.ok()) closed_ = why;
  for (const auto& attempt : attempts_) attempt->context.TryCancel();
  const auto ended = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return attempts_.empty(); };
  mutex_.Await(absl::Condition(&ended));
}

PictureEncoders::CallPtr PictureEncoders::Encode(const std::string& model, std::shared_ptr<const std::string> image,
                                                 Done done) {
  const auto call = std::make_shared<Call>();
  call->model = model;
  call->image = std::move(image);
  call->done = std::move(done);
  call->deadline = absl::Now() + options_.call_max;
  Start(call);
  return call;
}

void PictureEncoders::Cancel(const CallPtr& call) {
  absl::MutexLock lock(&mutex_);
  call->cancelled = true;
  if (call->attempt != nullptr) call->attempt->context.TryCancel();
}

void PictureEncoders::BeginRequest(const std::string& model) {
  absl::MutexLock lock(&mutex_);
  ++requests_[model];
}

void PictureEncoders::EndRequest(const std::string& model) {
  absl::MutexLock lock(&mutex_);
  if (const auto found = requests_.find(model); --found->second == 0) requests_.erase(found);
}

size_t PictureEncoders::RequestsOf(std::string_view model) const {
  absl::MutexLock lock(&mutex_);
  const auto found = requests_.find(model);
  return found == requests_.end() ? 0 : found->second;
}

bool PictureEncoders::HasWork(uint64_t replica) const {
  absl::MutexLock lock(&mutex_);
  const InServicePtr encoder = Find(replica);
  return encoder != nullptr && encoder->running > 0;
}

PictureEncoders::InServicePtr PictureEncoders::Choose(const Call& call) const {
  InServicePtr chosen;
  for (const auto& [replica, encoder] : encoders_) {
    if (encoder->model != call.model || call.tried.contains(replica)) continue;
    if (chosen == nullptr || encoder->cost() < chosen->cost()) chosen = encoder;
  }
  return chosen;
}

void PictureEncoders::Start(const CallPtr& call) {
  auto attempt = std::make_shared<Attempt>();
  absl::Status failure;
  absl::Time deadline = call->deadline;
  {
    absl::MutexLock lock(&mutex_);
    attempt->encoder = closed_.ok() && !call->cancelled ? Choose(*call) : nullptr;
    if (attempt->encoder == nullptr) {
      failure = call->cancelled       ? absl::CancelledError("the client went away")
                : !closed_.ok()       ? closed_
                : !call->failure.ok() ? call->failure
                                      : absl::UnavailableError(absl::StrCat("no image encoder of '", call->model,
                                                                            "' is in service; try again later"));
    } else {
      ++attempt->encoder->running;
      call->tried.insert(attempt->encoder->replica);
      call->attempt = attempt;
      attempts_.push_back(attempt);
      if (Choose(*call) != nullptr) deadline = std::min(deadline, absl::Now() + options_.attempt_max);
    }
  }
  if (!failure.ok()) return call->End(failure);
  attempt->request.set_replica(attempt->encoder->replica);
  attempt->request.set_image(*call->image);
  attempt->context.set_deadline(absl::ToChronoTime(deadline));
  attempt->encoder->stub->async()->Encode(
      &attempt->context, &attempt->request, &attempt->reply,
      [this, call, attempt](const grpc::Status& status) { Answered(call, attempt, FromGrpc(status)); });
}

void PictureEncoders::Answered(const CallPtr& call, const std::shared_ptr<Attempt>& attempt,
                               const absl::Status& status) {
  Settle(call, attempt, status);
  absl::MutexLock lock(&mutex_);  // the last thing done with this object, which Close may then let go
  std::erase(attempts_, attempt);
}

void PictureEncoders::Settle(const CallPtr& call, const std::shared_ptr<Attempt>& attempt, const absl::Status& status) {
  bool another = false;
  {
    absl::MutexLock lock(&mutex_);
    --attempt->encoder->running;
    call->attempt = nullptr;
    another = TriesAnother(status);
    if (another) call->failure = attempt->encoder->FailureOf(status);
  }
  if (another && absl::Now() >= call->deadline) return call->End(call->failure);
  if (another) return Start(call);
  if (!status.ok()) return call->End(status);
  call->End(std::vector<float>(attempt->reply.rows().begin(), attempt->reply.rows().end()));
}

}  // namespace enigma::coordinator
