#include "engine/vision/image_rows.h"

#include <algorithm>

namespace enigma::engine {

void InterleaveChannels(const float* planes, size_t pixels, float* rows) {
  for (size_t i = 0; i < pixels; ++i) {
    for (size_t c = 0; c < 3; ++c) rows[3 * i + c] = planes[c * pixels + i];
  }
}

void GatherSurroundings(const float* picture, size_t side, size_t channels, float* rows) {
  for (size_t y = 0; y < side; y += 2) {
    for (size_t x = 0; x < side; x += 2) {
      for (size_t j = 0; j < 3; ++j) {
        for (size_t i = 0; i < 3; ++i, rows += channels) {
          // Coordinates one further, so that nothing is below zero; only the left and upper edge can be crossed.
          const size_t from_y = y + j, from_x = x + i;
          if (from_y == 0 || from_x == 0) {
            std::fill_n(rows, channels, 0.0F);
          } else {
            std::copy_n(picture + ((from_y - 1) * side + from_x - 1) * channels, channels, rows);
          }
        }
      }
    }
  }
}

void ScatterSurroundings(const float* rows, size_t side, size_t channels, float* picture) {
  std::fill_n(picture, side * side * channels, 0.0F);
  for (size_t y = 0; y < side; y += 2) {
    for (size_t x = 0; x < side; x += 2) {
      for (size_t j = 0; j < 3; ++j) {
        for (size_t i = 0; i < 3; ++i, rows += channels) {
          const size_t to_y = y + j, to_x = x + i;
          if (to_y == 0 || to_x == 0) continue;
          float* to = picture + ((to_y - 1) * side + to_x - 1) * channels;
          for (size_t c = 0; c < channels; ++c) to[c] += rows[c];
        }
      }
    }
  }
}

void GatherSquares(const float* picture, size_t grid, size_t merge, size_t width, float* rows) {
  for (size_t y = 0; y < grid; y += merge) {
    for (size_t x = 0; x < grid; x += merge) {
      for (size_t j = 0; j < merge; ++j, rows += merge * width) {
        std::copy_n(picture + ((y + j) * grid + x) * width, merge * width, rows);
      }
    }
  }
}

void ScatterSquares(const float* rows, size_t grid, size_t merge, size_t width, float* picture) {
  for (size_t y = 0; y < grid; y += merge) {
    for (size_t x = 0; x < grid; x += merge) {
      for (size_t j = 0; j < merge; ++j, rows += merge * width) {
        std::copy_n(rows, merge * width, picture + ((y + j) * grid + x) * width);
      }
    }
  }
}

}  // namespace enigma::engine
