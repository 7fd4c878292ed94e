#include "worker/pipeline/stage_link_service.h"

#include <string>
#include <utility>

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "rpc/status_conversion.h"
#include "worker/pipeline/stage_link.h"

namespace enigma::worker {
namespace {

class Refusal : public grpc::ServerGenericBidiReactor {
 public:
  explicit Refusal(const absl::Status& reason) { Finish(ToGrpc(reason)); }
  void OnDone() override { delete this; }
};

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

absl::StatusOr<std::string> MetadataOf(const grpc::GenericCallbackServerContext& context, const char* key) {
  const auto found = context.client_metadata().find(key);
  if (found == context.client_metadata().end()) return absl::InvalidArgumentError(absl::StrCat("link without ", key));
  return std::string(found->second.data(), found->second.size());
}

template <typename T>
absl::StatusOr<T> NumberOf(const grpc::GenericCallbackServerContext& context, const char* key) {
  ENIGMA_ASSIGN_OR_RETURN(const std::string text, MetadataOf(context, key));
  T number = 0;
  if (!absl::SimpleAtoi(text, &number)) return absl::InvalidArgumentError(absl::StrCat(key, " is no number"));
  return number;
}

}  // namespace

grpc::ServerGenericBidiReactor* StageLinkService::CreateReactor(grpc::GenericCallbackServerContext* context) {
  if (context->method() != kStageLinkMethod) return CallbackGenericService::CreateReactor(context);
  absl::StatusOr<LinkPeer> peer = PeerOf(*context);
  if (!peer.ok()) return new Refusal(peer.status());
  absl::StatusOr<std::shared_ptr<FrameReceiver>> receiver = find_(*peer);
  if (!receiver.ok()) return new Refusal(receiver.status());
  return new Incoming(context, *std::move(peer), *std::move(receiver));
}

absl::StatusOr<LinkPeer> StageLinkService::PeerOf(const grpc::GenericCallbackServerContext& context) const {
  ENIGMA_ASSIGN_OR_RETURN(const Peer caller, authoriser_.Authorise(context, {Role::kWorker}));
  LinkPeer peer;
  ENIGMA_ASSIGN_OR_RETURN(peer.replica, NumberOf<uint64_t>(context, kReplicaMetadata));
  ENIGMA_ASSIGN_OR_RETURN(peer.stage, NumberOf<uint32_t>(context, kStageMetadata));
  ENIGMA_ASSIGN_OR_RETURN(peer.node_id, MetadataOf(context, kNodeMetadata));
  if (!caller.unproved) peer.node_id = caller.node_id;
  return peer;
}

}  // namespace enigma::worker
