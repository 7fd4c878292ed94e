#include "worker/service/submit.h"

#include <thread>
#include <utility>

#include "base/status_macros.h"

namespace enigma::worker {
namespace {

absl::Status Obey(StageRegistry& stages, uint64_t replica, v1::SequenceCommand& command) {
  ENIGMA_ASSIGN_OR_RETURN(const std::shared_ptr<StageExecutor> stage, stages.Find(replica));
  switch (command.command_case()) {
    case v1::SequenceCommand::kOpen:
      return stage->Open(std::move(*command.mutable_open()));
    case v1::SequenceCommand::kCancel:
      return stage->Cancel(command.cancel().sequence());
    default:
      return absl::InvalidArgumentError("a Submit stream attaches once, then opens and cancels sequences");
  }
}

}  // namespace

absl::Status ServeSubmit(StageRegistry& stages, grpc::ServerContext& context,
                         grpc::ServerReaderWriter<v1::SubmitReply, v1::SequenceCommand>& stream) {
  v1::SequenceCommand command;
  if (!stream.Read(&command) || command.command_case() != v1::SequenceCommand::kAttach) {
    return absl::InvalidArgumentError("the first message of a Submit stream attaches to a replica");
  }
  const uint64_t replica = command.attach();
  std::shared_ptr<StageExecutor::Replies> replies;
  {
    ENIGMA_ASSIGN_OR_RETURN(const std::shared_ptr<StageExecutor> stage, stages.Find(replica));
    ENIGMA_ASSIGN_OR_RETURN(replies, stage->AttachSubmitter());
  }
  v1::SubmitReply attached;
  attached.set_attached(true);
  stream.Write(attached);
  std::thread writer([&] {
    while (std::optional<v1::SubmitReply> reply = replies->Pop()) {
      if (!stream.Write(*reply)) break;
    }
    context.TryCancel();  // the stage went, or another submitter took over: ends the loop below
  });
  absl::Status obeyed;
  while (obeyed.ok() && stream.Read(&command)) obeyed = Obey(stages, replica, command);
  if (const auto stage = stages.Find(replica); stage.ok()) (*stage)->DetachSubmitter(replies);
  replies->Close();
  writer.join();
  return obeyed;
}

}  // namespace enigma::worker
