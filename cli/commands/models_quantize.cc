// `enigma models quantize IN OUT`: a model file with smaller weights.
#include <cstdio>
#include <memory>

#include <absl/strings/str_join.h>

#include "base/status_macros.h"
#include "cli/commands/commands.h"
#include "cli/output/format.h"
#include "cli/output/output_file.h"
#include "cli/output/progress.h"
#include "engine/weights/quantise_model.h"
#include "engine/weights/weight_types.h"

namespace enigma::cli {

namespace {

struct QuantizeFlags {
  std::string in;
  std::string out;
  std::string type;
  bool force = false;
  bool json = false;
};

absl::Status RunQuantize(const QuantizeFlags& flags) {
  ENIGMA_RETURN_IF_ERROR(CheckOutputFile("OUT", flags.out, flags.force));
  Progress progress("writing " + flags.out);
  ENIGMA_ASSIGN_OR_RETURN(const uint64_t bytes,
                          engine::QuantiseModel(flags.in, flags.type, flags.out, [&](uint64_t written, uint64_t total) {
                            progress.Update(written, total, FormatBytes(total));
                          }));
  progress.Finish();
  if (flags.json) {
    PrintJson({{"path", flags.out}, {"source", flags.in}, {"type", flags.type}, {"bytes", bytes}});
  } else {
    std::printf("%s: %s, %s\n", flags.out.c_str(), flags.type.c_str(), FormatBytes(bytes).c_str());
  }
  return absl::OkStatus();
}

}  // namespace

void AddModelsQuantize(Command& models) {
  Command command = models.Add("quantize", "write a model file again with smaller weights");
  auto flags = std::make_shared<QuantizeFlags>();
  command.Text("IN", flags->in, "GGUF file of a model or an image encoder, with f32, f16 or bf16 weights", "")
      .Required();
  command.Text("OUT", flags->out, "GGUF file to write", "").Required();
  command
      .Text("--type", flags->type, "what its matrices become: " + absl::StrJoin(engine::PlainWeightTypeNames(), ", "),
            "TYPE")
      .Required()
      .Among(engine::PlainWeightTypeNames());
  command.Switch("--force", flags->force, "replace a file that is there");
  command.Switch("--json", flags->json, "as JSON");
  command.Examples({"enigma models quantize model-f32.gguf model-q8_0.gguf --type q8_0"});
  command.Does([flags] { return RunQuantize(*flags); });
}

}  // namespace enigma::cli
