// `enigma describe IMAGE`: what a model says of a picture, on the cluster or in this process.
#include <algorithm>
#include <cstdio>
#include <memory>

#include "base/status_macros.h"
#include "cli/cluster/cluster_client.h"
#include "cli/commands/commands.h"
#include "cli/generation/cluster_generation.h"
#include "cli/generation/picture_describer.h"
#include "cli/generation/sampling_flags.h"
#include "cli/input/read_image.h"
#include "cli/input/read_text.h"
#include "cli/output/standard_output.h"
#include "cli/usage_error.h"
#include "engine/image/decode_image.h"
#include "engine/text/given_row.h"

namespace enigma::cli {

namespace {

struct DescribeCommand {
  explicit DescribeCommand(Command& command) : sampling(command) { cluster.AddTo(command); }
  SamplingFlags sampling;
  ClusterFlags cluster;
  std::string image;
  std::string model = "auto";
  std::string local;
  std::string encoder;
  std::string prompt;
  int threads = 0;
  bool json = false;
};

absl::Status DescribeHere(const DescribeCommand& flags, const engine::SamplingParams& sampling, const TextSink& show) {
  ENIGMA_ASSIGN_OR_RETURN(const engine::Image image, ReadImage(flags.image));
  ENIGMA_ASSIGN_OR_RETURN(const auto describer, PictureDescriber::Open(flags.local, flags.encoder, flags.threads));
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

absl::Status DescribeOnCluster(const DescribeCommand& flags, const engine::SamplingParams& sampling,
                               const TextSink& show) {
  GenerationRequest request;
  ENIGMA_ASSIGN_OR_RETURN(request.pictures.emplace_back(), ReadText(flags.image, engine::ImageLimits().bytes_max));
  request.prompt = flags.prompt;
  request.sampling = sampling;
  ENIGMA_ASSIGN_OR_RETURN(const auto client, ClusterClient::Open(flags.cluster));
  const auto result = GenerateOnCluster(*client, flags.model, request, show);
  if (!flags.json && result.ok()) std::fputc('\n', stdout);
  ENIGMA_RETURN_IF_ERROR(result.status());
  if (!flags.json) {
    if (const std::string who = DescribeRoute(*result); !who.empty()) {
      std::fprintf(stderr, "Answered by %s.\n", who.c_str());
    }
    return absl::OkStatus();
  }
  Json json = {{"image", flags.image},
               {"rows", std::count(result->prompt_ids.begin(), result->prompt_ids.end(), engine::kGivenRow)},
               {"model", result->model},
               {"nodes", result->nodes},
               {"ids", result->ids},
               {"text", result->text},
               {"finish_reason", result->finish_reason}};
  AddRoute(result->route, json);
  PrintJson(json);
  return absl::OkStatus();
}

absl::Status RunDescribe(const DescribeCommand& flags, bool names_model) {
  if (flags.local.empty() != flags.encoder.empty()) {
    return UsageError("--local and --encoder go together: the decoder's file and the image encoder's");
  }
  if (!flags.local.empty() && names_model) return UsageError("name a model with --model, or files with --local");
  ENIGMA_ASSIGN_OR_RETURN(const engine::SamplingParams sampling, flags.sampling.Resolve());
  const TextSink show = [&flags](std::string_view text) { return flags.json || ShowNow(text); };
  return flags.local.empty() ? DescribeOnCluster(flags, sampling, show) : DescribeHere(flags, sampling, show);
}

}  // namespace

void AddDescribe(Command& root) {
  Command command = root.Add("describe", "what a model says of a picture");
  auto flags = std::make_shared<DescribeCommand>(command);
  command.Text("IMAGE", flags->image, "a JPEG or PNG file; - reads standard input", "").Required();
  const Argument model =
      command
          .Text("--model,-m", flags->model,
                "the model's name in the cluster (default: auto, the specialist for pictures)", "NAME")
          .Utf8();
  command.Text("--local", flags->local, "without a cluster: the decoder, a GGUF file, run in this process", "PATH");
  command.Text("--encoder", flags->encoder, "with --local: the image encoder trained with it, a GGUF file", "PATH");
  command.Text("--prompt", flags->prompt, "what stands between the picture and the answer (default: nothing)", "TEXT");
  command.Number("--threads", flags->threads, "with --local: threads (default: one per core)", "N").Between(1, 1024);
  command.Switch("--json", flags->json, "as JSON");
  command.Examples({"enigma describe photo.jpg", "enigma describe --model vision --prompt \"What is it?\" photo.jpg",
                    "enigma describe --local vision.gguf --encoder vision-encoder.gguf photo.jpg"});
  command.Does([flags, model] { return RunDescribe(*flags, model.given()); });
}

}  // namespace enigma::cli
