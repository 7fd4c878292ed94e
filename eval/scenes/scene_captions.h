#pragma once

#include <string>
#include <vector>

#include "eval/scenes/scene.h"

namespace enigma::eval {

// Everything that may be said of a scene, each time in full: figures with colour and shape, the sizes of one or two,
// the number of more, how they stand, and the background. Lower case, no full stop, none twice.
std::vector<std::string> SceneCaptions(const Scene& scene);

// The one that a training set shows for the `number`th scene of a seed: each wording as often as the others.
std::string ChosenCaption(const Scene& scene, uint64_t seed, uint64_t number);

}  // namespace enigma::eval
