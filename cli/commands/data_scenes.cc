// `enigma data scenes`: pictures of simple figures, with captions.
#include <cstdio>
#include <memory>

#include "base/status_macros.h"
#include "cli/commands/commands.h"
#include "cli/output/format.h"
#include "cli/output/progress.h"
#include "eval/scenes/scene_set.h"

namespace enigma::cli {

namespace {

struct ScenesFlags {
  std::string out;
  uint64_t count = 0;
  uint64_t seed = 1;
  uint32_t size = 64;
  std::string split = "train";
  bool json = false;
};

absl::Status RunDataScenes(const ScenesFlags& flags) {
  Progress progress("drawing scenes");
  eval::SceneSetOptions options;
  options.folder = flags.out;
  options.count = flags.count;
  options.seed = flags.seed;
  options.size = flags.size;
  options.held_out = flags.split == "test";
  options.progress = [&](uint64_t done) { progress.Update(done, flags.count); };
  ENIGMA_ASSIGN_OR_RETURN(const uint64_t bytes, eval::WriteSceneSet(options));
  progress.Finish();
  if (flags.json) {
    PrintJson({{"path", flags.out},
               {"count", flags.count},
               {"seed", flags.seed},
               {"size", flags.size},
               {"split", flags.split},
               {"bytes", bytes}});
  } else {
    std::printf("%s: %llu scenes of %u x %u pixels (%s), %s\n", flags.out.c_str(),
                static_cast<unsigned long long>(flags.count), flags.size, flags.size, flags.split.c_str(),
                FormatBytes(bytes).c_str());
  }
  return absl::OkStatus();
}

}  // namespace

void AddDataScenes(Command& data) {
  Command command = data.Add("scenes", "pictures of simple figures, with captions, to train a vision model");
  auto flags = std::make_shared<ScenesFlags>();
  command.Text("--out,-o", flags->out, "folder for captions.jsonl and the pictures; new or empty", "FOLDER").Required();
  command.Number("--count", flags->count, "scenes", "N").Required().Between(1, 1'000'000);
  command.Number("--seed", flags->seed, "the same seed gives the same pictures and captions (default 1)", "S");
  command.Number("--size", flags->size, "pixels of a picture's side (default 64)", "N").Between(16, 4096);
  command
      .Text("--split", flags->split,
            "train (default), or test: combinations of figures, sizes and backgrounds that train never shows", "NAME")
      .Among({"train", "test"});
  command.Switch("--json", flags->json, "as JSON");
  command.Examples({"enigma data scenes --out scenes/train --count 20000",
                    "enigma data scenes --out scenes/test --count 1000 --split test"});
  command.Does([flags] { return RunDataScenes(*flags); });
}

}  // namespace enigma::cli
