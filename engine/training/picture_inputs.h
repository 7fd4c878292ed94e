#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "engine/corpus/picture_set.h"
#include "engine/spec/training_config.h"
#include "engine/tensor/thread_pool.h"

namespace enigma::engine {

// Pictures of the set, by number, as an encoder takes them: [numbers][3][image_size][image_size], whole and as they
// are.
std::vector<float> PictureInputs(const PictureSet& set, const PictureTraining& config,
                                 std::span<const uint64_t> numbers, ThreadPool& pool);

// The same as training sees them in a step: cropped and mirrored as `config` allows, in a way that `seed`, the step and
// the picture's number decide.
std::vector<float> AugmentedPictureInputs(const PictureSet& set, const PictureTraining& config,
                                          std::span<const uint64_t> numbers, uint64_t seed, uint64_t step,
                                          ThreadPool& pool);

}  // namespace enigma::engine
