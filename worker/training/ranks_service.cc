#include "worker/training/ranks_service.h"

#include <atomic>
#include <thread>
#include <utility>

#include "base/status_macros.h"
#include "base/text.h"
#include "rpc/status_conversion.h"
#include "worker/training/job_files.h"

namespace enigma::worker {
namespace {

using RankStream = grpc::ServerReaderWriter<v1::RankEvent, v1::RankOrder>;

constexpr absl::Duration kProgressEvery = absl::Milliseconds(500);

// Until the rank has ended, another stream has taken over, or this one is broken.
void TellEvents(RankRunner& rank, uint64_t reader, RankStream& stream) {
  v1::RankEvent event;
  uint64_t shown = ~uint64_t{0};
  while (true) {
    switch (rank.reporter().Next(reader, kProgressEvery, event)) {
      case RankReporter::Wait::kEnded:
        return;
      case RankReporter::Wait::kQuiet: {
        std::optional<v1::PreparationProgress> progress = rank.Progress();
        if (!progress || progress->bytes() == shown) continue;
        shown = progress->bytes();
        *event.mutable_preparing() = *std::move(progress);
        break;
      }
      case RankReporter::Wait::kEvent:
        break;
    }
    if (!stream.Write(event)) return;
  }
}

// The job goes on without this worker, and knows why.
void TellRefusal(const absl::Status& why, RankStream& stream) {
  v1::RankEvent event;
  event.mutable_failed()->set_code(static_cast<uint32_t>(why.code()));
  event.mutable_failed()->set_error(ToString(why.message()));
  stream.Write(event);
}

absl::Status ServeRank(RankRegistry& ranks, grpc::ServerContext& context, RankStream& stream) {
  v1::RankOrder order;
  if (!stream.Read(&order) || !order.has_prepare()) {
    return absl::InvalidArgumentError("the first message of a Run stream says what to prepare");
  }
  const absl::StatusOr<std::shared_ptr<RankRunner>> prepared = ranks.Prepare(order.prepare());
  if (!prepared.ok()) {
    TellRefusal(prepared.status(), stream);
    return prepared.status();
  }
  const std::shared_ptr<RankRunner> rank = *prepared;
  const uint64_t reader = rank->reporter().Attach();
  std::atomic<bool> finished{false};
  std::thread writer([&] {
    TellEvents(*rank, reader, stream);
    // Ends the loop below, unless that is over because the job is.
    if (!finished) context.TryCancel();
  });
  absl::Status obeyed;
  while (obeyed.ok() && !finished && stream.Read(&order)) {
    finished = order.has_finish() && !order.finish().export_model();
    obeyed = rank->Obey(order);
  }
  // A rank that was told to go tells what is left before it does.
  if (!finished) rank->reporter().Detach(reader);
  writer.join();
  rank->reporter().Detach(reader);
  if (finished) ranks.Drop(rank);
  return obeyed;
}

absl::Status ServeState(RankRegistry& ranks, const v1::FetchStateRequest& request, grpc::ServerContext& context,
                        grpc::ServerWriter<v1::FileChunk>& writer) {
  ENIGMA_ASSIGN_OR_RETURN(const std::shared_ptr<RankRunner> rank, ranks.Find(request.job()));
  v1::FileChunk chunk;
  Chunks chunks([&](std::string piece) {
    chunk.set_data(std::move(piece));
    if (!writer.Write(chunk)) return absl::CancelledError("the reader went away, or the rank goes on without it");
    chunk.clear_total_bytes();
    return absl::OkStatus();
  });
  ENIGMA_RETURN_IF_ERROR(rank->SendState(
      request.step(), [&context] { context.TryCancel(); }, [&chunk](uint64_t bytes) { chunk.set_total_bytes(bytes); },
      [&chunks](std::span<const uint8_t> bytes) { return chunks.Add(bytes); }));
  return chunks.Finish();
}

}  // namespace

grpc::Status RanksService::Run(grpc::ServerContext* context, RankStream* stream) {
  const absl::StatusOr<Peer> caller = authoriser_.Authorise(*context, {Role::kCoordinator});
  return ToGrpc(caller.ok() ? ServeRank(ranks_, *context, *stream) : caller.status());
}

grpc::Status RanksService::FetchState(grpc::ServerContext* context, const v1::FetchStateRequest* request,
                                      grpc::ServerWriter<v1::FileChunk>* writer) {
  const absl::StatusOr<Peer> caller = authoriser_.Authorise(*context, {Role::kWorker, Role::kCoordinator});
  return ToGrpc(caller.ok() ? ServeState(ranks_, *request, *context, *writer) : caller.status());
}

}  // namespace enigma::worker
