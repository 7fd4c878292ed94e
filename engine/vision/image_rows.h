#pragma once

#include <cstddef>

namespace enigma::engine {

// Values are moved, none is changed: what convolutions and the projector multiply as rows.

// [3][pixels] to [pixels][3].
void InterleaveChannels(const float* planes, size_t pixels, float* rows);

// Of a picture [side * side][channels], with `side` even, the surroundings of every second pixel of every second row:
// [(side / 2)^2][3][3][channels], the rows above, of and below the pixel, in each the values left, of and right of it;
// zeros beyond the edge. So a convolution of three by three with stride 2 is a product with rows of nine times
// `channels`.
void GatherSurroundings(const float* picture, size_t side, size_t channels, float* rows);

// The gradient of GatherSurroundings: picture [side * side][channels] becomes the sums of what its values stand for in
// `rows`, begun at +0, rows in order.
void ScatterSurroundings(const float* rows, size_t side, size_t channels, float* picture);

// Of a picture [grid * grid][width], squares of `merge` by `merge`: [(grid / merge)^2][merge][merge][width].
void GatherSquares(const float* picture, size_t grid, size_t merge, size_t width, float* rows);
// The way back.
void ScatterSquares(const float* rows, size_t grid, size_t merge, size_t width, float* picture);

}  // namespace enigma::engine
