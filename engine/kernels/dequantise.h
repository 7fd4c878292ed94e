#pragma once

#include <cstddef>
#include <cstdint>

#include "engine/spec/dtype.h"

namespace enigma::engine {

// `count` elements (a whole number of blocks) of stored data to f32, exactly rounded where the format's formula is not
// exact in f32. The block formats are those of ggml (ggml-common.h); each is restated in dequantise.cc.
void Dequantise(DType type, const uint8_t* source, size_t count, float* out);

// f32 to stored form, for synthetic models, export and tests: nearest codes for per-block scales chosen from the
// block's extremes (K-quants: scales fitted per sub-block).
void Quantise(DType type, const float* source, size_t count, uint8_t* out);

float HalfToFloat(uint16_t bits);
uint16_t FloatToHalf(float value);  // to nearest, ties to even
float BrainToFloat(uint16_t bits);
uint16_t FloatToBrain(float value);

}  // namespace enigma::engine
