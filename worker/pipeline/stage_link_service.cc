#include "worker/pipeline/stage_link_service.h"

#include <limits>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "rpc/status_conversion.h"
#include "worker/connection/link_call.h"
#include "worker/pipeline/stage_link.h"

namespace enigma::worker {
namespace {

// One incoming stream. Its methods are called one at a time; it goes when gRPC is done with it.
class Incoming : public grpc::ServerGenericBidiReactor {
 public:
  Incoming(grpc::GenericCallbackServerContext* context, LinkPeer peer, std::shared_ptr<FrameReceiver> receiver)
      : peer_(std::move(peer)), receiver_(std::move(receiver)) {
    context->AddInitialMetadata(kReplicaMetadata, std::to_string(peer_.replica));
    StartSendInitialMetadata();
    StartRead(&frame_);
  }

  void OnReadDone(bool ok) override {
    if (!ok) {
      receiver_->OnLinkLost(peer_,
                            absl::UnavailableError(absl::StrCat("the stream from node ", peer_.node_id, " ended")));
      Finish(grpc::Status::OK);
      return;
    }
    grpc::ByteBuffer frame;
    frame.Swap(&frame_);
    if (const absl::Status taken = receiver_->OnFrame(peer_, std::move(frame)); !taken.ok()) {
      receiver_->OnLinkLost(peer_, taken);
      Finish(ToGrpc(taken));
      return;
    }
    StartRead(&frame_);
  }
  void OnDone() override { delete this; }

 private:
  const LinkPeer peer_;
  const std::shared_ptr<FrameReceiver> receiver_;
  grpc::ByteBuffer frame_;
};

}  // namespace

grpc::ServerGenericBidiReactor* StageLinkService::CreateReactor(grpc::GenericCallbackServerContext* context) {
  if (context->method() != kStageLinkMethod) return CallbackGenericService::CreateReactor(context);
  absl::StatusOr<LinkPeer> peer = PeerOf(*context);
  if (!peer.ok()) return RefuseLink(peer.status());
  absl::StatusOr<std::shared_ptr<FrameReceiver>> receiver = find_(*peer);
  if (!receiver.ok()) return RefuseLink(receiver.status());
  return new Incoming(context, *std::move(peer), *std::move(receiver));
}

absl::StatusOr<LinkPeer> StageLinkService::PeerOf(const grpc::GenericCallbackServerContext& context) const {
  ENIGMA_ASSIGN_OR_RETURN(const Peer caller, authoriser_.Authorise(context, {Role::kWorker}));
  LinkPeer peer;
  ENIGMA_ASSIGN_OR_RETURN(peer.replica, LinkNumber(context, kReplicaMetadata));
  ENIGMA_ASSIGN_OR_RETURN(const uint64_t stage,
                          LinkNumber(context, kStageMetadata, std::numeric_limits<uint32_t>::max()));
  peer.stage = static_cast<uint32_t>(stage);
  ENIGMA_ASSIGN_OR_RETURN(peer.node_id, LinkMetadata(context, kNodeMetadata));
  if (!caller.unproved) peer.node_id = caller.node_id;
  return peer;
}

}  // namespace enigma::worker
