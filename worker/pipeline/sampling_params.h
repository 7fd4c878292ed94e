#pragma once

#include "engine/spec/sampling_params.h"
#include "proto/worker.pb.h"

namespace enigma::worker {

// Unset fields take the engine's defaults.
engine::SamplingParams FromProto(const v1::SamplingParams& proto);

}  // namespace enigma::worker
