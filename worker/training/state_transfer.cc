#include <unistd.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <absl/strings/str_cat.h>

#include "base/clock.h"
#include "base/status_macros.h"
#include "engine/checkpoint/safetensors.h"
#include "engine/training/state_file.h"
#include "proto/rank.grpc.pb.h"
#include "rpc/status_conversion.h"
#include "worker/layer_cache/layer_cache.h"
#include "worker/training/job_files.h"
#include "worker/training/rank_world.h"

namespace enigma::worker {
namespace {

// For a coordinator that starts anew just now.
constexpr absl::Duration kLoadPatience = absl::Minutes(2);
constexpr absl::Duration kLoadPause = absl::Milliseconds(500);

// Into memory: on a slow disk the others would wait for it.
absl::StatusOr<std::vector<uint8_t>> Receive(v1::Ranks::Stub& stub, const v1::FetchStateRequest& request,
                                             uint64_t bytes_expected, const StopSignal& stop) {
  grpc::ClientContext context;
  const StopSignal::Action cancel(stop, [&context] { context.TryCancel(); });
  const auto reader = stub.FetchState(&context, request);
  std::vector<uint8_t> bytes;
  v1::FileChunk chunk;
  absl::Status taken;
  while (taken.ok() && reader->Read(&chunk)) {
    if (bytes.empty()) bytes.reserve(bytes_expected);
    if (bytes.size() + chunk.data().size() > bytes_expected) {
      taken = absl::DataLossError(absl::StrCat("a state of ", bytes_expected, " bytes comes as a longer one"));
      context.TryCancel();
      break;
    }
    bytes.insert(bytes.end(), chunk.data().begin(), chunk.data().end());
  }
  const absl::Status ended = FromGrpc(reader->Finish());
  if (stop.stopped()) return stop.reason();
  ENIGMA_RETURN_IF_ERROR(taken);
  ENIGMA_RETURN_IF_ERROR(ended);
  return bytes;
}

}  // namespace

absl::StatusOr<engine::TrainingState> FetchState(const RankWorld& world, const v1::NodeAddress& source, uint64_t job,
                                                 uint64_t step, const engine::TrainingConfig& config,
                                                 const PreparedRank& rank, const StopSignal& stop) {
  const engine::ParameterLayout layout = engine::ParameterLayout::OfJob(config);
  // Of the same length but for the numbers of steps and tokens, which are text.
  const uint64_t bytes_most = engine::StateFileBytes(rank.trainer->state(), layout, rank.identity) + 256;
  ENIGMA_ASSIGN_OR_RETURN(const auto channel, world.channels.Connect(source));
  const auto stub = v1::Ranks::NewStub(channel);
  v1::FetchStateRequest request;
  request.set_job(job);
  request.set_step(step);
  ENIGMA_ASSIGN_OR_RETURN(const std::vector<uint8_t> bytes, Receive(*stub, request, bytes_most, stop));
  ENIGMA_ASSIGN_OR_RETURN(
      const std::unique_ptr<engine::SafetensorsFile> file,
      engine::SafetensorsFile::Parse(bytes, absl::StrCat("the state from node ", source.node_id())));
  return engine::ReadState(*file, layout, rank.identity);
}

absl::Status StoreState(const RankWorld& world, const v1::NodeAddress& coordinator, const StoredFile& file,
                        const engine::TrainingConfig& config, const PreparedRank& rank,
                        const engine::TrainingState& state, const StopSignal& stop) {
  const engine::ParameterLayout layout = engine::ParameterLayout::OfJob(config);
  ENIGMA_ASSIGN_OR_RETURN(const auto channel, world.channels.Connect(coordinator));
  v1::StoreJobFileRequest::Head head;
  head.set_job(file.job);
  head.set_kind(file.kind);
  head.set_step(file.step);
  head.set_epoch(file.epoch);
  if (file.validations) *head.mutable_validations() = *file.validations;
  head.set_node_id(world.node_id);
  return StoreJobFile(
      channel, std::move(head),
      [&](const engine::ByteSink& sink) { return engine::WriteState(state, layout, rank.identity, sink); }, stop);
}

absl::StatusOr<engine::TrainingState> LoadCheckpoint(const RankWorld& world,
                                                     const std::function<v1::NodeAddress()>& coordinator, uint64_t job,
                                                     const v1::JobFile& file, const engine::TrainingConfig& config,
                                                     const PreparedRank& rank, const StopSignal& stop) {
  ENIGMA_ASSIGN_OR_RETURN(const auto files, LayerCache::Create({.directory = world.FolderOf(job), .free_bytes = {}}));
  const Clock& clock = Clock::System();
  const absl::Duration begun = clock.Monotonic();
  FetchProgress progress;
  const auto fetch = [&]() -> absl::Status {
    ENIGMA_ASSIGN_OR_RETURN(const auto channel, world.channels.Connect(coordinator()));
    return FetchJobFile(channel, job, file, *files, progress, stop);
  };
  absl::Status fetched = fetch();
  while (absl::IsUnavailable(fetched) && clock.Monotonic() - begun < kLoadPatience) {
    if (stop.notification().WaitForNotificationWithTimeout(kLoadPause)) return stop.reason();
    fetched = fetch();
  }
  ENIGMA_RETURN_IF_ERROR(fetched);
  engine::Sha256 hash{};
  std::copy_n(file.sha256().begin(), hash.size(), hash.begin());  // FetchJobFile has compared the length
  const std::string path = files->PathOf(hash);
  ENIGMA_ASSIGN_OR_RETURN(const std::unique_ptr<engine::SafetensorsFile> tensors, engine::SafetensorsFile::Open(path));
  absl::StatusOr<engine::TrainingState> state =
      engine::ReadState(*tensors, engine::ParameterLayout::OfJob(config), rank.identity);
  ::unlink(path.c_str());
  return state;
}

}  // namespace enigma::worker
