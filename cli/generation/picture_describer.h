#pragma once

#include <cstddef>
#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "cli/generation/generation.h"
#include "engine/image/image.h"
#include "engine/sampling/local_generator.h"
#include "engine/tensor/thread_pool.h"
#include "engine/vision/vision_encoder.h"

namespace enigma::cli {

// An image encoder and the decoder trained with it, in this process. Not thread-safe.
class PictureDescriber {
 public:
  // `threads`: 0 for one per core. InvalidArgument where the two do not go together.
  static absl::StatusOr<std::unique_ptr<PictureDescriber>> Open(const std::string& decoder, const std::string& encoder,
                                                                int threads);

  // What the decoder says behind the picture and `prompt`, which may be empty.
  absl::StatusOr<engine::LocalGenerator::Result> Describe(const engine::Image& image, const std::string& prompt,
                                                          const engine::SamplingParams& sampling, const TextSink& sink);
  size_t rows() const { return encoder_->spec().prefix(); }  // that a picture takes in the decoder

 private:
  explicit PictureDescriber(int threads) : pool_(threads) {}

  engine::ThreadPool pool_;  // outlives the encoder
  std::unique_ptr<engine::LocalGenerator> generator_;
  std::unique_ptr<engine::VisionEncoder> encoder_;
};

}  // namespace enigma::cli
