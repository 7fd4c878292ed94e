#pragma once

#include "coordinator/operations/control_plane.h"
#include "proto/cluster.pb.h"

namespace enigma::coordinator {

enigma::v1::ReplicaInfo DescribeReplica(const ControlPlane& plane, const Replica& replica);
// Without replicas.
enigma::v1::ModelInfo DescribeModel(const Model& model);
// With replicas, and with what is wanted and has none ("failed", and why).
enigma::v1::ListClusterModelsReply ListModels(const ControlPlane& plane);

}  // namespace enigma::coordinator
