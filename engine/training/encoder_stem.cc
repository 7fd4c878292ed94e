#include "engine/training/encoder_stem.h"

#include <algorithm>
#include <string>

#include "engine/kernels/swiglu.h"
#include "engine/vision/image_rows.h"

namespace enigma::engine {

EncoderStem::EncoderStem(const VisionSpec& spec, const ParameterLayout& layout, ProductPrecision precision,
                         ThreadPool& pool)
    : spec_(spec),
      pool_(pool),
      patch_embedding_(layout, "v.patch_embd", precision, pool),
      positions_(layout.Find("v.position_embd.weight")->offset),
      inputs_(precision) {
  size_t side = spec.image_size, channels = 3;
  for (size_t i = 0; i < spec.stem.size(); ++i) {
    convolutions_.push_back(
        {LinearLayer(layout, "v.stem." + std::to_string(i), precision, pool), side, channels, {}, {}});
    side /= 2;
    channels = spec.stem[i];
  }
}

void EncoderStem::SetWeights(const float* weights) {
  weights_ = weights;
  for (Convolution& convolution : convolutions_) convolution.product.SetWeights(weights);
  patch_embedding_.SetWeights(weights);
}

void EncoderStem::ShareWeights(const EncoderStem& owner) {
  weights_ = owner.weights_;
  for (size_t i = 0; i < convolutions_.size(); ++i) {
    convolutions_[i].product.ShareWeights(owner.convolutions_[i].product);
  }
  patch_embedding_.ShareWeights(owner.patch_embedding_);
}

void EncoderStem::Forward(const float* pictures, size_t count, float* out) {
  count_ = count;
  const size_t pixels = size_t{spec_.image_size} * spec_.image_size;
  float* maps = maps_.Reserve(count * pixels * 3);
  for (size_t p = 0; p < count; ++p) InterleaveChannels(pictures + p * 3 * pixels, pixels, maps + p * 3 * pixels);
  for (Convolution& c : convolutions_) {
    const size_t rows = c.rows(count), made = c.product.outputs(), in = c.side * c.side * c.channels;
    float* gathered = c.gathered.Reserve(rows * 9 * c.channels);
    pool_.ParallelFor(count, 1, [&](size_t begin, size_t end, int) {
      for (size_t p = begin; p < end; ++p) {
        GatherSurroundings(maps + p * in, c.side, c.channels, gathered + p * rows / count * 9 * c.channels);
      }
    });
    float* raw = c.raw.Reserve(rows * made);
    c.product.Forward(gathered, rows, raw);
    maps = maps_.Reserve(rows * made);
    SiluRows::Forward(raw, rows, made, maps, pool_);
  }
  const size_t patches = spec_.patches(), hidden = spec_.hidden;
  patch_embedding_.Forward(maps, count * patches, out);
  for (size_t p = 0; p < count; ++p) {
    AddRows(out + p * patches * hidden, hidden, weights_ + positions_, hidden, patches, hidden, pool_);
  }
}

// d_maps_: the gradient at what the convolution made becomes that at what it read.
void EncoderStem::BackwardConvolution(Convolution& c, bool is_first, float* gradient) {
  const size_t rows = c.rows(count_), made = c.product.outputs();
  float* d_maps = d_maps_.data();
  silu_.Backward(c.raw.data(), rows, made, d_maps, pool_);
  float* d_gathered = is_first ? nullptr : d_gathered_.Reserve(rows * 9 * c.channels);
  c.product.Backward(c.gathered.data(), d_maps, rows, inputs_, d_gathered, gradient);
  if (is_first) return;
  const size_t in = c.side * c.side * c.channels;
  d_maps = d_maps_.Reserve(count_ * in);
  pool_.ParallelFor(count_, 1, [&](size_t begin, size_t end, int) {
    for (size_t p = begin; p < end; ++p) {
      ScatterSurroundings(d_gathered + p * rows / count_ * 9 * c.channels, c.side, c.channels, d_maps + p * in);
    }
  });
}

void EncoderStem::Backward(const float* d_out, float* gradient) {
  const size_t patches = spec_.patches(), hidden = spec_.hidden;
  std::fill_n(gradient + positions_, patches * hidden, 0.0F);
  for (size_t p = 0; p < count_; ++p) {
    AddRows(gradient + positions_, hidden, d_out + p * patches * hidden, hidden, patches, hidden, pool_);
  }
  float* d_maps = d_maps_.Reserve(count_ * patches * patch_embedding_.inner());
  patch_embedding_.Backward(maps_.data(), d_out, count_ * patches, inputs_, d_maps, gradient);
  for (size_t i = convolutions_.size(); i-- > 0;) BackwardConvolution(convolutions_[i], i == 0, gradient);
}

}  // namespace enigma::engine
