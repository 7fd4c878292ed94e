// `enigma describe IMAGE`: what a model says of a picture, in this process.
#include <cstdio>
#include <memory>

#include "base/status_macros.h"
#include "cli/commands/commands.h"
#include "cli/generation/picture_describer.h"
#include "cli/generation/sampling_flags.h"
#include "cli/input/read_image.h"
#include "cli/output/standard_output.h"

namespace enigma::cli {

namespace {

struct DescribeCommand {
  explicit DescribeCommand(Command& command) : sampling(command) {}
  SamplingFlags sampling;
  std::string image;
  std::string local;
  std::string encoder;
  std::string prompt;
  int threads = 0;
  bool json = false;
};

absl::Status RunDescribe(const DescribeCommand& flags) {
  ENIGMA_ASSIGN_OR_RETURN(const engine::SamplingParams sampling, flags.sampling.Resolve());
  ENIGMA_ASSIGN_OR_RETURN(const engine::Image image, ReadImage(flags.image));
  ENIGMA_ASSIGN_OR_RETURN(const auto describer, PictureDescriber::Open(flags.local, flags.encoder, flags.threads));
  const auto show = [&flags](std::string_view text) { return flags.json || ShowNow(text); };
  const auto result = describer->Describe(image, flags.prompt, sampling, show);
  if (!flags.json) std::fputc('\n', stdout);
  ENIGMA_RETURN_IF_ERROR(result.status());
  if (!flags.json) return absl::OkStatus();
  PrintJson({{"image", flags.image},
             {"width", image.width},
             {"height", image.height},
             {"rows", describer->rows()},
             {"ids", result->ids},
             {"text", result->text},
             {"finish_reason", result->finish_reason}});
  return absl::OkStatus();
}

}  // namespace

void AddDescribe(Command& root) {
  Command command = root.Add("describe", "what a model says of a picture");
  auto flags = std::make_shared<DescribeCommand>(command);
  command.Text("IMAGE", flags->image, "a JPEG or PNG file; - reads standard input", "").Required();
  command.Text("--local", flags->local, "the decoder: a GGUF file, run in this process", "PATH").Required();
  command.Text("--encoder", flags->encoder, "the image encoder trained with it: a GGUF file", "PATH").Required();
  command.Text("--prompt", flags->prompt, "what stands between the picture and the answer (default: nothing)", "TEXT");
  command.Number("--threads", flags->threads, "threads (default: one per core)", "N").Between(1, 1024);
  command.Switch("--json", flags->json, "as JSON");
  command.Examples({"enigma describe --local vision.gguf --encoder vision-encoder.gguf photo.jpg"});
  command.Does([flags] { return RunDescribe(*flags); });
}

}  // namespace enigma::cli
