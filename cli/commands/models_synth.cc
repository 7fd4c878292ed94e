// `enigma models synth`: a model of a real shape with random weights, to measure with.
#include <cstdio>
#include <memory>

#include <absl/strings/str_join.h>

#include "base/status_macros.h"
#include "cli/commands/commands.h"
#include "cli/output/format.h"
#include "cli/output/progress.h"
#include "engine/weights/synth.h"

namespace enigma::cli {

namespace {

struct SynthFlags {
  std::string shape;
  std::string type;
  std::string out;
  uint64_t seed = 1;
  bool json = false;
};

absl::Status RunSynth(const SynthFlags& flags) {
  Progress progress("writing " + flags.out);
  engine::SynthOptions options;
  options.seed = flags.seed;
  options.progress = [&progress](uint64_t written, uint64_t total) {
    progress.Update(written, total, FormatBytes(total));
  };
  ENIGMA_ASSIGN_OR_RETURN(const uint64_t bytes, engine::SynthesiseModel(flags.shape, flags.type, flags.out, options));
  progress.Finish();
  if (flags.json) {
    PrintJson(
        {{"path", flags.out}, {"shape", flags.shape}, {"type", flags.type}, {"seed", flags.seed}, {"bytes", bytes}});
  } else {
    std::printf("%s: %s %s, %s\n", flags.out.c_str(), flags.shape.c_str(), flags.type.c_str(),
                FormatBytes(bytes).c_str());
  }
  return absl::OkStatus();
}

}  // namespace

void AddModelsSynth(Command& models) {
  Command command = models.Add("synth", "write a model of a real shape with random weights, to measure");
  auto flags = std::make_shared<SynthFlags>();
  command.Text("--shape", flags->shape, absl::StrJoin(engine::SynthShapeNames(), ", "), "SHAPE")
      .Required()
      .Among(engine::SynthShapeNames());
  command.Text("--type", flags->type, absl::StrJoin(engine::SynthTypeNames(), ", "), "TYPE")
      .Required()
      .Among(engine::SynthTypeNames());
  command.Number("--seed", flags->seed, "the same seed gives the same file (default 1)", "S");
  command.Text("out", flags->out, "file to write", "OUT.gguf").Required();
  command.Switch("--json", flags->json, "as JSON");
  command.Does([flags] { return RunSynth(*flags); });
}

}  // namespace enigma::cli
