#include "worker/service/tokens.h"

#include <memory>
#include <optional>

#include "base/status_macros.h"

namespace enigma::worker {
namespace {

constexpr absl::Duration kLookForCancelEvery = absl::Milliseconds(100);

}  // namespace

absl::Status ServeTokens(StageRegistry& stages, const v1::TokensRequest& request, grpc::ServerContext& context,
                         grpc::ServerWriter<v1::TokenEvents>& writer) {
  std::shared_ptr<TokenOutbox> outbox;
  {
    ENIGMA_ASSIGN_OR_RETURN(const std::shared_ptr<StageExecutor> stage, stages.Find(request.replica()));
    if (stage->options().stage_index + 1 != stage->options().stage_count) {
      return absl::FailedPreconditionError("tokens come from the last stage of a replica, and this is another");
    }
    outbox = stage->tokens();
  }
  const uint64_t reader = outbox->Attach();
  v1::TokenEvents attached;
  attached.set_attached(true);
  bool open = writer.Write(attached);
  while (open && !context.IsCancelled()) {
    const std::optional<v1::TokenEvents> events = outbox->Pop(reader, kLookForCancelEvery);
    if (events) {
      open = writer.Write(*events);
    } else if (!outbox->Attached(reader)) {
      return absl::AbortedError("the stage was unloaded, or another reader took over");
    }
  }
  return absl::OkStatus();
}

}  // namespace enigma::worker
