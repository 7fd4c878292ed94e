#pragma once

#include <cstdint>

#include "engine/image/image.h"
#include "eval/scenes/scene.h"

namespace enigma::eval {

// The scene as a picture of `size` pixels a side, from 16 to 4096. Whole numbers only, so that every machine draws the
// same bytes; edges are smoothed by sixteen samples per pixel. Later figures cover earlier ones.
engine::Image DrawPicture(const Scene& scene, uint32_t size);

}  // namespace enigma::eval
