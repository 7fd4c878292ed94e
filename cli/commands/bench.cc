// `enigma bench`: speed of the engine alone.
#include <algorithm>
#include <cstdio>
#include <memory>

#include "base/status_macros.h"
#include "cli/commands/commands.h"
#include "cli/generation/local_model.h"
#include "cli/output/format.h"
#include "cli/usage_error.h"
#include "engine/sampling/engine_bench.h"

namespace enigma::cli {

namespace {

struct BenchFlags {
  std::string model;
  engine::EngineBenchOptions options;
  bool json = false;
};

Json Summary(const std::vector<double>& values) {
  if (values.empty()) return nullptr;
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return {{"median", engine::Median(values)}, {"min", *low}, {"max", *high}, {"runs", values}};
}

std::string Line(const char* name, uint32_t tokens, const std::vector<double>& values) {
  if (values.empty()) return "";
  const auto [low, high] = std::minmax_element(values.begin(), values.end());
  return std::string(name) + " " + std::to_string(tokens) + ": " + FormatDecimal(engine::Median(values), 2) +
         " tokens/s (median of " + std::to_string(values.size()) + "; " + FormatDecimal(*low, 2) + " to " +
         FormatDecimal(*high, 2) + ")\n";
}

absl::Status RunBench(const BenchFlags& flags) {
  if (flags.options.prompt_tokens == 0 && flags.options.generated_tokens == 0) {
    return UsageError("-p and -n are both 0, so that there is nothing to measure");
  }
  engine::EngineBenchOptions options = flags.options;
  if (options.threads == 0) options.threads = AvailableCores();
  ENIGMA_ASSIGN_OR_RETURN(const auto result, engine::RunEngineBench(flags.model, options));
  if (flags.json) {
    PrintJson({{"model", result.model},
               {"threads", options.threads},
               {"prompt_tokens", options.prompt_tokens},
               {"generated_tokens", options.generated_tokens},
               {"repetitions", options.repetitions},
               {"prefill_tps", Summary(result.prefill_tps)},
               {"decode_tps", Summary(result.decode_tps)},
               {"load_seconds", result.load_seconds},
               {"weight_bytes", result.weight_bytes}});
    return absl::OkStatus();
  }
  std::printf("%s: %s of weights, loaded in %s, %d thread(s)\n%s%s", result.model.c_str(),
              FormatBytes(result.weight_bytes).c_str(), FormatSeconds(result.load_seconds).c_str(), options.threads,
              Line("prefill", options.prompt_tokens, result.prefill_tps).c_str(),
              Line("decode", options.generated_tokens, result.decode_tps).c_str());
  return absl::OkStatus();
}

}  // namespace

void AddBench(Command& root) {
  Command command = root.Add("bench", "measure prefill and decode of the engine alone, without a cluster");
  auto flags = std::make_shared<BenchFlags>();
  flags->options.threads = 0;
  command.Text("--model,-m", flags->model, "GGUF file", "PATH").Required().ExistingFile();
  command.Number("-p,--prompt-tokens", flags->options.prompt_tokens,
                 "tokens of prefill; 0 leaves it out (default 512)");
  command.Number("-n,--generated-tokens", flags->options.generated_tokens,
                 "tokens of decode; 0 leaves it out (default 128)");
  command.Number("-t,--threads", flags->options.threads, "threads (default 0: one per core)").Between(0, 1024);
  command.Number("-r,--repetitions", flags->options.repetitions, "measurements of each, 1 to 1000 (default 5)")
      .Between(1, 1000);
  command.Switch("--json", flags->json, "as JSON");
  command.Examples({"enigma bench --model model.gguf", "enigma bench --model model.gguf -p 0 -n 64 -t 4 --json"});
  command.Does([flags] { return RunBench(*flags); });
}

}  // namespace enigma::cli
