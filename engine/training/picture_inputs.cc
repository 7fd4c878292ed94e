#include "engine/training/picture_inputs.h"

#include <algorithm>
#include <functional>

#include "engine/image/augmentation.h"
#include "engine/image/model_input.h"

namespace enigma::engine {
namespace {

// `region_of`: what is seen of the picture with that number.
std::vector<float> InputsOf(const PictureSet& set, const PictureTraining& config, std::span<const uint64_t> numbers,
                            const std::function<Augmentation(uint64_t)>& seen_of, ThreadPool& pool) {
  const VisionSpec& spec = config.encoder;
  const PixelScale scale = {spec.mean, spec.deviation};
  const size_t floats = size_t{3} * spec.image_size * spec.image_size;
  std::vector<float> inputs(numbers.size() * floats);
  pool.ParallelFor(numbers.size(), 1, [&](size_t begin, size_t end, int) {
    for (size_t i = begin; i < end; ++i) {
      const Image seen = Augmented(set.Picture(numbers[i]), seen_of(numbers[i]), spec.image_size, scale);
      const std::vector<float> input = ToModelInput(seen, scale);
      std::copy(input.begin(), input.end(), inputs.begin() + static_cast<std::ptrdiff_t>(i * floats));
    }
  });
  return inputs;
}

}  // namespace

std::vector<float> PictureInputs(const PictureSet& set, const PictureTraining& config,
                                 std::span<const uint64_t> numbers, ThreadPool& pool) {
  const Augmentation whole = {.region = {0, 0, set.side(), set.side()}, .flip = false};
  return InputsOf(
      set, config, numbers, [&](uint64_t) { return whole; }, pool);
}

std::vector<float> AugmentedPictureInputs(const PictureSet& set, const PictureTraining& config,
                                          std::span<const uint64_t> numbers, uint64_t seed, uint64_t step,
                                          ThreadPool& pool) {
  const AugmentationOptions options = {.side_min = config.crop_side_min, .flip = config.flip};
  const auto seen_of = [&](uint64_t number) {
    return ChooseAugmentation(options, set.side(), set.side(), seed, step * set.pictures() + number);
  };
  return InputsOf(set, config, numbers, seen_of, pool);
}

}  // namespace enigma::engine
