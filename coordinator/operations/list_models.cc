#include "coordinator/operations/list_models.h"

#include <set>

namespace enigma::coordinator {

enigma::v1::ReplicaInfo DescribeReplica(const ControlPlane& plane, const Replica& replica) {
  enigma::v1::ReplicaInfo info;
  info.set_replica(replica.id);
  info.set_state(std::string(ReplicaStateName(replica.state)));
  info.mutable_stages()->Assign(replica.stages.begin(), replica.stages.end());
  if (replica.encoder) *info.mutable_encoder() = *replica.encoder;
  info.set_failure(replica.failure);
  if (replica.stall) info.set_stall(replica.stall->reason);
  const Dispatcher::Load load = plane.dispatcher.LoadOf(replica.id);
  info.set_running(static_cast<uint32_t>(load.running));
  info.set_waiting(static_cast<uint32_t>(load.waiting));
  return info;
}

enigma::v1::ModelInfo DescribeModel(const Model& model) {
  enigma::v1::ModelInfo info;
  info.set_name(model.name);
  info.set_content_id(engine::HexOf(model.ContentId()));
  info.set_architecture(model.architecture);
  info.set_quantisation(model.quantisation);
  info.set_bytes(model.file_bytes);
  info.set_parameters(model.parameters);
  info.set_layers(model.layers);
  info.set_hidden(model.hidden);
  info.set_context(model.context);
  info.set_vocab(model.vocab);
  info.set_path(model.path);
  if (!model.encoder) return info;
  enigma::v1::EncoderInfo& encoder = *info.mutable_encoder();
  encoder.set_path(model.encoder->path);
  encoder.set_bytes(model.encoder->file_bytes);
  encoder.set_parameters(model.encoder->parameters);
  encoder.set_image_size(model.encoder->image_size);
  encoder.set_rows(model.encoder->rows);
  return info;
}

enigma::v1::ListClusterModelsReply ListModels(const ControlPlane& plane) {
  enigma::v1::ListClusterModelsReply reply;
  const std::vector<Replica> replicas = plane.replicas.List();
  const std::vector<WantedPlacement> wanted = plane.wanted.List();
  for (const ModelPtr& model : plane.models.List()) {
    enigma::v1::ModelInfo& info = *reply.add_models();
    info = DescribeModel(*model);
    std::set<uint64_t> fulfilled;
    for (const Replica& replica : replicas) {
      if (replica.model->name != model->name) continue;
      *info.add_replicas() = DescribeReplica(plane, replica);
      fulfilled.insert(replica.wanted);
    }
    for (const WantedPlacement& placement : wanted) {
      if (placement.model != model->name || fulfilled.contains(placement.id)) continue;
      auto* waiting = info.add_replicas();
      waiting->set_state(std::string(ReplicaStateName(ReplicaState::kFailed)));
      waiting->set_failure(placement.state_reason);
    }
  }
  return reply;
}

}  // namespace enigma::coordinator
