#pragma once

#include "cli/output/format.h"
#include "proto/cluster.pb.h"

namespace enigma::cli {

// Messages of proto/cluster.proto as JSON with the same field names; numbers stay numbers.
Json ToJson(const v1::StageStatus& stage);
Json ToJson(const v1::NodeVerdict& verdict);
Json ToJson(const v1::NodeInfo& node);
Json ToJson(const v1::StagePlacement& stage);
Json ToJson(const v1::ReplicaInfo& replica);
Json ToJson(const v1::ModelInfo& model);
Json ToJson(const v1::PlanReply& plan);

// One row per stage: layers, node, memory and time.
std::string StageTable(const google::protobuf::RepeatedPtrField<v1::StagePlacement>& stages);

}  // namespace enigma::cli
