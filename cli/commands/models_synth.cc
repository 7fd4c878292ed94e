// `enigma models synth`: a model of a real shape with random weights, to measure with.
#include <cstdio>
#include <filesystem>
#include <memory>

#include <absl/strings/str_join.h>

#include "base/status_macros.h"
#include "cli/commands/commands.h"
#include "cli/output/format.h"
#include "cli/output/progress.h"
#include "cli/usage_error.h"
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
  // The finished file takes the place of what has its name; a device or a folder shall not go that way.
  std::error_code error;
  const auto there = std::filesystem::status(flags.out, error);
  if (std::filesystem::exists(there) && !std::filesystem::is_regular_file(there)) {
    return UsageError("OUT: " + flags.out + " is there and is no file; name another one to write");
  }
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
  command.Text("--shape", flags->shape, "one of " + absl::StrJoin(engine::SynthShapeNames(), ", "), "SHAPE")
      .Required()
      .Among(engine::SynthShapeNames());
  command.Text("--type", flags->type, "one of " + absl::StrJoin(engine::SynthTypeNames(), ", "), "TYPE")
      .Required()
      .Among(engine::SynthTypeNames());
  command.Number("--seed", flags->seed, "the same seed gives the same file (default 1)", "S");
  command.Text("OUT", flags->out, "GGUF file to write; one that is there is replaced", "").Required();
  command.Switch("--json", flags->json, "as JSON");
  command.Examples({"enigma models synth --shape tinyllama-1.1b --type q4_0 tinyllama.gguf"});
  command.Does([flags] { return RunSynth(*flags); });
}

}  // namespace enigma::cli
