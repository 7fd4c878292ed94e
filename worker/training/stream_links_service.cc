#include "worker/training/stream_links_service.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <absl/base/thread_annotations.h>
#include <absl/strings/str_cat.h>
#include <absl/synchronization/mutex.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "rpc/status_conversion.h"
#include "worker/connection/link_call.h"
#include "worker/training/link_frame.h"
#include "worker/training/rank_mesh.h"

namespace enigma::worker {
namespace {

// The end at which this rank receives. Keeps itself alive from its start to OnDone. A read is always pending, whatever
// waits to be taken: the mesh bounds that by what it tells the sender.
class ServerStream final : public RankStream, public grpc::ServerGenericBidiReactor {
 public:
  ServerStream(uint32_t peer, std::shared_ptr<RankMesh> mesh) : peer_(peer), mesh_(std::move(mesh)) {}

  void Begin(std::shared_ptr<ServerStream> self, grpc::GenericCallbackServerContext* context, uint64_t job) {
    self_ = std::move(self);
    context->AddInitialMetadata(kJobMetadata, std::to_string(job));
    StartSendInitialMetadata();
    StartRead(&incoming_);
  }

  void Pulse(uint64_t taken) override {
    absl::MutexLock lock(&mutex_);
    taken_ = std::max(taken_, taken);
    if (finished_ || ending_) return;
    if (writing_) {
      pulse_due_ = true;
    } else {
      WritePulse();
    }
  }

  // The reason goes along as the status's details.
  void Abort(const absl::Status& reason) override {
    End(grpc::Status(grpc::StatusCode::ABORTED, "the epoch is broken", EncodeReason(reason)));
  }

  void Close() override { End(grpc::Status::OK); }

  void OnWriteDone(bool) override {
    absl::MutexLock lock(&mutex_);
    writing_ = false;
    if (finished_) return;
    if (ending_) {
      finished_ = true;
      Finish(*ending_);
    } else if (pulse_due_) {
      pulse_due_ = false;
      WritePulse();
    }
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      if (!bye_) mesh_->OnLost(peer_, RankMesh::Way::kIn, absl::UnavailableError("its stream broke"));
      End(grpc::Status::OK);
      return;
    }
    if (const absl::Status taken = Take(); !taken.ok()) {
      mesh_->Fail(taken);
      End(ToGrpc(taken));
      return;
    }
    incoming_.Clear();
    absl::MutexLock lock(&mutex_);
    if (!finished_) StartRead(&incoming_);
  }

  void OnDone() override {
    const std::shared_ptr<ServerStream> self = std::move(self_);
    mesh_->Detach(peer_, RankMesh::Way::kIn);
  }

 private:
  absl::Status Take() {
    absl::StatusOr<LinkFrame> frame = ParseLinkFrame(incoming_);
    if (!frame.ok() || bye_) {
      return absl::DataLossError(absl::StrCat(mesh_->NameOf(peer_), " sent ",
                                              bye_ ? "something after its bye" : ToString(frame.status().message())));
    }
    switch (frame->kind) {
      case LinkFrameKind::kMessage:
        return mesh_->OnMessage(peer_, std::move(frame->message));
      case LinkFrameKind::kPulse:
        mesh_->OnHeard(peer_, RankMesh::Way::kIn);
        break;
      case LinkFrameKind::kAbort:
        bye_ = true;
        mesh_->Fail(frame->reason);
        break;
      case LinkFrameKind::kBye:
        bye_ = true;
        mesh_->OnLeft(peer_, RankMesh::Way::kIn);
        break;
    }
    return absl::OkStatus();
  }

  void End(const grpc::Status& status) {
    absl::MutexLock lock(&mutex_);
    if (finished_ || ending_) return;
    if (writing_) {  // one thing after the other
      ending_ = status;
      return;
    }
    finished_ = true;
    Finish(status);
  }

  void WritePulse() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    writing_ = true;
    outgoing_ = PulseFrame(taken_);
    StartWrite(&outgoing_);
  }

  const uint32_t peer_;
  const std::shared_ptr<RankMesh> mesh_;
  std::shared_ptr<ServerStream> self_;
  grpc::ByteBuffer incoming_;
  bool bye_ = false;  // of reads, which come one at a time

  absl::Mutex mutex_;
  grpc::ByteBuffer outgoing_ ABSL_GUARDED_BY(mutex_);
  uint64_t taken_ ABSL_GUARDED_BY(mutex_) = 0;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool pulse_due_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  std::optional<grpc::Status> ending_ ABSL_GUARDED_BY(mutex_);
};

// Who is at the sending end, as the certificate says.
absl::StatusOr<std::string> SenderOf(const grpc::GenericCallbackServerContext& context, const Authoriser& authoriser) {
  ENIGMA_ASSIGN_OR_RETURN(const Peer caller, authoriser.Authorise(context, {Role::kWorker}));
  return caller.unproved ? LinkMetadata(context, kRankNodeMetadata) : caller.node_id;
}

}  // namespace

grpc::ServerGenericBidiReactor* StreamLinksService::CreateReactor(grpc::GenericCallbackServerContext* context) {
  if (context->method() != kRankLinkMethod) return CallbackGenericService::CreateReactor(context);
  absl::StatusOr<grpc::ServerGenericBidiReactor*> stream = Accept(context);
  return stream.ok() ? *stream : RefuseLink(stream.status());
}

absl::StatusOr<grpc::ServerGenericBidiReactor*> StreamLinksService::Accept(
    grpc::GenericCallbackServerContext* context) const {
  ENIGMA_ASSIGN_OR_RETURN(const std::string sender, SenderOf(*context, authoriser_));
  ENIGMA_ASSIGN_OR_RETURN(const uint64_t job, LinkNumber(*context, kJobMetadata));
  ENIGMA_ASSIGN_OR_RETURN(const uint64_t epoch, LinkNumber(*context, kEpochMetadata));
  ENIGMA_ASSIGN_OR_RETURN(const std::shared_ptr<RankMesh> mesh, incoming_.Find(job, epoch));
  ENIGMA_ASSIGN_OR_RETURN(const uint32_t peer, mesh->RankOf(sender));
  auto stream = std::make_shared<ServerStream>(peer, mesh);
  ENIGMA_RETURN_IF_ERROR(mesh->Attach(peer, RankMesh::Way::kIn, stream));
  stream->Begin(stream, context, job);
  return stream.get();
}

}  // namespace enigma::worker
