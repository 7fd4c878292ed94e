#pragma once

#include "cli/output/format.h"
#include "proto/cluster.pb.h"

namespace enigma::cli {

// Messages of proto/cluster.proto as JSON with the same field names; numbers stay numbers. One field has another
// meaning: "last_layer" is the last layer of the stage, not the one behind it, here and wherever a person reads layers.
Json ToJson(const v1::StageStatus& stage);
Json ToJson(const v1::NodeVerdict& verdict);
Json ToJson(const v1::NodeInfo& node);
Json ToJson(const v1::StagePlacement& stage);
Json ToJson(const v1::ReplicaInfo& replica);
Json ToJson(const v1::EncoderInfo& encoder);
Json ToJson(const v1::ModelInfo& model);
Json ToJson(const v1::PlanReply& plan);
Json ToJson(const v1::KeyInfo& key);

// "0-4"; a stage of one layer is "4-4".
std::string LayersText(const v1::StagePlacement& stage);
std::string LayersText(const v1::StageStatus& stage);

// One row per stage: layers, node, memory and time.
std::string EncoderLine(const v1::StagePlacement& encoder);  // node and memory, behind such a table
std::string StageTable(const google::protobuf::RepeatedPtrField<v1::StagePlacement>& stages);

}  // namespace enigma::cli
