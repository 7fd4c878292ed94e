#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "engine/tensor/aligned_buffer.h"
#include "engine/weights/weight_source.h"

namespace enigma::engine {

// "blk.3.attn_q.weight"
std::string LayerTensorName(uint32_t layer, std::string_view suffix);

// A small tensor of any stored type (norm weights, biases, frequency factors) as f32. InvalidArgument, naming the
// tensor, when it has not `count` elements.
absl::StatusOr<AlignedBuffer<float>> LoadVector(const WeightSource& weights, std::string_view name, size_t count);

}  // namespace enigma::engine
