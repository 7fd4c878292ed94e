#include "cli/generation/picture_describer.h"

#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "cli/generation/local_model.h"
#include "engine/text/picture_prompt.h"

namespace enigma::cli {

absl::StatusOr<std::unique_ptr<PictureDescriber>> PictureDescriber::Open(const std::string& decoder,
                                                                         const std::string& encoder, int threads) {
  engine::LocalGenerator::Options options;
  options.threads = threads > 0 ? threads : AvailableCores();
  std::unique_ptr<PictureDescriber> describer(new PictureDescriber(options.threads));
  ENIGMA_ASSIGN_OR_RETURN(describer->generator_, engine::LocalGenerator::Open(decoder, options));
  ENIGMA_ASSIGN_OR_RETURN(const auto weights, engine::OpenGgufWeights(encoder));
  ENIGMA_ASSIGN_OR_RETURN(describer->encoder_, engine::VisionEncoder::Load(*weights, describer->pool_));
  const uint32_t width = describer->generator_->stage().spec().hidden;
  const uint32_t output = describer->encoder_->spec().output;
  if (output == width) return describer;
  return absl::InvalidArgumentError(absl::StrCat(encoder, " was trained for a model ", output, " wide, and ", decoder,
                                                 " is ", width, ": they do not go together"));
}

absl::StatusOr<engine::LocalGenerator::Result> PictureDescriber::Describe(const engine::Image& image,
                                                                          const std::string& prompt,
                                                                          const engine::SamplingParams& sampling,
                                                                          const TextSink& sink) {
  ENIGMA_ASSIGN_OR_RETURN(const std::vector<float> prefix, encoder_->Encode(image));
  return generator_->Generate(engine::PicturePrompt(generator_->tokenizer(), rows(), prompt), sampling, sink, prefix);
}

}  // namespace enigma::cli
