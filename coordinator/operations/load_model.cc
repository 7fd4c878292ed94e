#include "coordinator/operations/load_model.h"

#include <algorithm>
#include <set>
#include <span>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "coordinator/operations/await_measurements.h"
#include "coordinator/operations/list_models.h"
#include "coordinator/operations/loaded_already.h"
#include "coordinator/operations/plan_model.h"
#include "coordinator/operations/stage_loading.h"
#include "coordinator/operations/unload_stages.h"
#include "telemetry/log.h"

namespace enigma::coordinator {
namespace {

constexpr uint32_t kRowsPerStepMax = 512;
// That a load sees its model's name given, one after the other.
constexpr int kContentsMax = 3;
// Peers that a worker asks for pieces before it asks the coordinator.
constexpr size_t kPeerSourcesMax = 8;

// What is kept must go on naming the same node when there are others whose ids begin so. A host's name stays: the next
// machine of that name is meant, too.
enigma::v1::PlanOptions WithWholeIds(const ControlPlane& plane, enigma::v1::PlanOptions options) {
  for (std::string& name : *options.mutable_nodes()) {
    const absl::StatusOr<Node> node = plane.nodes.Resolve(name);
    if (node.ok() && node->id != name && node->hello.host_name() != name) name = node->id;
  }
  return options;
}

// What was predicted gives way to what it came to.
void TakeFigures(const enigma::v1::LoadStageProgress& progress, enigma::v1::StagePlacement& part) {
  part.set_bytes_present(progress.bytes_present());
  part.set_bytes_fetched(progress.bytes_fetched());
  if (progress.weight_bytes() == 0) return;
  part.set_weight_bytes(progress.weight_bytes());
  part.set_kv_bytes(progress.kv_bytes());
}

class Load {
 public:
  Load(ControlPlane& plane, const LoadCall& call) : plane_(plane), call_(call) {}

  absl::StatusOr<LoadedModel> Run() {
    Report("planning");
    AwaitMeasurements(plane_, call_.options, call_.cancelled);
    ENIGMA_RETURN_IF_ERROR(Plan());
    if (was_loaded_) return LoadedModel{replica_, true};
    absl::Status loaded = Place();
    if (loaded.ok()) return LoadedModel{replica_, false};
    plane_.replicas.MarkFailed(replica_.id, ToStd(loaded.message()));
    plane_.dispatcher.RemoveReplica(replica_.id, loaded);
    UnloadStages(plane_, replica_);
    plane_.replicas.Remove(replica_.id);
    return loaded;
  }

  // Whether the name means other content by now than what was to be placed.
  bool IsOutdated() const {
    if (planned_.model == nullptr) return false;
    const absl::StatusOr<ModelPtr> now = plane_.models.Find(call_.model);
    return now.ok() && (*now)->ContentId() != planned_.model->ContentId();
  }

 private:
  absl::Status Plan() {
    absl::MutexLock lock(&plane_.placement_mutex);
    if (call_.wanted == 0 && !call_.another_replica) {
      ENIGMA_ASSIGN_OR_RETURN(const ModelPtr model, plane_.models.Find(call_.model));
      ENIGMA_ASSIGN_OR_RETURN(std::optional<Replica> there, FindLoaded(plane_, model, call_.options));
      if (there) {
        replica_ = *std::move(there);
        was_loaded_ = true;
        // Who asks for it by name wants it to stay.
        return call_.options.on_demand() ? absl::OkStatus() : KeepForGood();
      }
    }
    ENIGMA_ASSIGN_OR_RETURN(planned_, PlanModel(plane_, call_.model, call_.options));
    const enigma::v1::PlanReply& plan = planned_.placement.reply;
    if (!plan.feasible()) {
      return absl::FailedPreconditionError(
          absl::StrCat("cannot place '", call_.model, "': ", plan.infeasible_reason()));
    }
    options_ = WithWholeIds(plane_, call_.options);
    ENIGMA_ASSIGN_OR_RETURN(replica_.id, plane_.replicas.NextId());
    replica_.wanted = call_.wanted != 0 ? call_.wanted : plane_.wanted.ReserveId();
    replica_.on_demand = call_.options.on_demand();
    replica_.model = planned_.model;
    replica_.stages.assign(plan.stages().begin(), plan.stages().end());
    if (plan.has_encoder()) replica_.encoder = plan.encoder();
    replica_.context = planned_.context;
    replica_.kv_blocks = plan.kv_blocks();
    plane_.replicas.Add(replica_);
    return absl::OkStatus();
  }

  absl::Status KeepForGood() {
    for (const WantedPlacement& wanted : plane_.wanted.List()) {
      if (wanted.id == replica_.wanted && wanted.options.on_demand()) return plane_.wanted.KeepForGood(wanted.id);
    }
    return absl::OkStatus();
  }

  absl::Status Place() {
    ENIGMA_RETURN_IF_ERROR(MakeTargets());
    ENIGMA_RETURN_IF_ERROR(LoadStages(
        targets_, [this] { Report(Phase()); }, [this] { return MayGoOn(); }));
    for (size_t i = 0; i < replica_.stages.size(); ++i) TakeFigures(targets_[i].progress, replica_.stages[i]);
    if (replica_.encoder) TakeFigures(targets_.back().progress, *replica_.encoder);
    plane_.replicas.SetParts(replica_);
    Report("connecting");
    const std::span<const StageTarget> pipeline = std::span(targets_).first(replica_.stages.size());
    ENIGMA_RETURN_IF_ERROR(ConnectStages(pipeline));
    ENIGMA_RETURN_IF_ERROR(MayGoOn());
    const absl::Status attached =
        plane_.dispatcher.AddReplica(replica_, pipeline.front().channel, pipeline.back().channel);
    if (!attached.ok()) {
      return absl::Status(attached.code(), absl::StrCat("attaching to nodes ", pipeline.front().node.Label(), " and ",
                                                        pipeline.back().node.Label(), ": ", attached.message()));
    }
    if (replica_.encoder) plane_.dispatcher.encoders().Add(replica_, targets_.back().channel);
    ENIGMA_RETURN_IF_ERROR(plane_.replicas.MarkReady(replica_.id));
    ENIGMA_RETURN_IF_ERROR(Remember());
    replica_.state = ReplicaState::kReady;
    LogInfo("model {} is ready: replica {} in {} stages", call_.model, replica_.id, replica_.stages.size());
    return absl::OkStatus();
  }

  absl::Status MakeTargets() {
    std::set<std::string> contracts;
    for (const auto& part : replica_.Parts()) {  // the encoder last
      StageTarget target;
      const std::optional<Node> node = plane_.nodes.Find(part.node_id());
      if (!node || node->state != NodeState::kReady) {
        return absl::UnavailableError(absl::StrCat("node ", part.node_id(), " left while the model was placed"));
      }
      target.node = *node;
      ENIGMA_ASSIGN_OR_RETURN(target.channel, plane_.channels.Connect(*node));
      const bool is_encoder = targets_.size() == replica_.stages.size();
      FillRequest(part, is_encoder, target.request);
      contracts.insert(node->hello.capability().contract());
      targets_.push_back(std::move(target));
    }
    replica_.contract = absl::StrJoin(contracts, "+");
    return absl::OkStatus();
  }

  void FillRequest(const enigma::v1::StagePlacement& stage, bool is_encoder,
                   enigma::v1::LoadStageRequest& request) const {
    request.set_replica(replica_.id);
    request.set_model(replica_.model->name);
    request.set_encoder(is_encoder);
    request.set_manifest_json(is_encoder ? replica_.model->encoder->manifest_json : replica_.model->manifest_json);
    request.set_stage_index(stage.stage_index());
    request.set_stage_count(static_cast<uint32_t>(replica_.stages.size()));
    request.set_first_layer(stage.first_layer());
    request.set_last_layer(stage.last_layer());
    request.set_kv_blocks(replica_.kv_blocks);
    request.set_kv_type(planned_.kv_type);
    request.set_context(replica_.context);
    request.set_max_rows(kRowsPerStepMax);
    request.set_wire_dtype(planned_.wire_dtype);
    for (const Node& peer : plane_.nodes.List()) {
      if (peer.state != NodeState::kReady || peer.id == stage.node_id()) continue;
      if (static_cast<size_t>(request.sources_size()) >= kPeerSourcesMax) break;
      auto* source = request.add_sources();
      source->set_node_id(peer.id);
      source->mutable_endpoints()->Assign(peer.endpoints.begin(), peer.endpoints.end());
    }
    *request.add_sources() = plane_.self;
  }

  // The placement is wanted from now on, also after a restart.
  absl::Status Remember() {
    std::vector<std::string> nodes;
    for (const auto& part : replica_.Parts()) nodes.push_back(part.node_id());
    if (call_.wanted != 0) return plane_.wanted.SetNodes(call_.wanted, std::move(nodes));
    WantedPlacement wanted;
    wanted.id = replica_.wanted;
    wanted.model = call_.model;
    wanted.options = options_;
    wanted.last_nodes = std::move(nodes);
    ENIGMA_RETURN_IF_ERROR(plane_.wanted.Add(std::move(wanted)));
    return ForgetUnfulfilled();
  }

  // Earlier placements of this model that stand nowhere now: this one takes their place. Kept, they would come back
  // beside it as soon as their nodes do.
  absl::Status ForgetUnfulfilled() {
    std::set<uint64_t> alive;
    std::vector<Replica> failed;
    for (const Replica& replica : plane_.replicas.List()) {
      if (replica.state == ReplicaState::kFailed) {
        failed.push_back(replica);
      } else {
        alive.insert(replica.wanted);
      }
    }
    for (const WantedPlacement& earlier : plane_.wanted.List()) {
      if (earlier.model != call_.model || alive.contains(earlier.id)) continue;
      ENIGMA_RETURN_IF_ERROR(plane_.wanted.Remove(earlier.id));
      LogInfo("model {}: replica {} takes the place of an earlier one that could not be placed again", call_.model,
              replica_.id);
      for (const Replica& replica : failed) {
        if (replica.wanted == earlier.id) plane_.replicas.Remove(replica.id);
      }
    }
    return absl::OkStatus();
  }

  absl::Status MayGoOn() const {
    if (call_.cancelled && call_.cancelled()) return absl::CancelledError("the load was cancelled by its caller");
    const std::optional<Replica> now = plane_.replicas.Find(replica_.id);
    if (!now) return absl::AbortedError("the replica was removed");
    if (now->state == ReplicaState::kFailed) return absl::AbortedError(now->failure);
    return absl::OkStatus();
  }

  const char* Phase() const {
    const bool fetching = std::any_of(targets_.begin(), targets_.end(), [](const StageTarget& target) {
      return target.progress.phase().empty() || target.progress.phase() == "fetching";
    });
    return fetching ? "fetching" : "packing";
  }

  void Report(const char* phase) const {
    if (!call_.progress) return;
    enigma::v1::LoadProgress progress;
    progress.set_phase(phase);
    for (const StageTarget& target : targets_) {
      progress.set_bytes_needed(progress.bytes_needed() + target.progress.bytes_needed());
      progress.set_bytes_present(progress.bytes_present() + target.progress.bytes_present());
      progress.set_bytes_fetched(progress.bytes_fetched() + target.progress.bytes_fetched());
    }
    call_.progress(progress);
  }

  ControlPlane& plane_;
  const LoadCall& call_;
  PlannedModel planned_;
  enigma::v1::PlanOptions options_;  // as they are kept
  Replica replica_;
  bool was_loaded_ = false;
  std::vector<StageTarget> targets_;
};

}  // namespace

absl::StatusOr<LoadedModel> LoadModel(ControlPlane& plane, const LoadCall& call) {
  for (int left = kContentsMax;; --left) {
    Load load(plane, call);
    absl::StatusOr<LoadedModel> loaded = load.Run();
    const bool cancelled = call.cancelled && call.cancelled();
    if (loaded.ok() || cancelled || left == 1 || !load.IsOutdated()) return loaded;
    LogInfo("model {}: its name has other content by now, which is loaded in its place", call.model);
  }
}

}  // namespace enigma::coordinator
