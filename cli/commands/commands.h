#pragma once

#include <functional>

#include <CLI/CLI.hpp>
#include <absl/status/status.h>

namespace enigma::cli {

// What a parsed command line does. Results go to stdout, progress and logs to stderr; an error becomes the exit status.
using Action = std::function<absl::Status()>;

// Each adds one command with its flags to `app`; when that command is the one chosen, parsing sets `action`.
void AddUp(CLI::App& app, Action& action);
void AddCoordinator(CLI::App& app, Action& action);
void AddWorker(CLI::App& app, Action& action);
void AddNodes(CLI::App& app, Action& action);
void AddModels(CLI::App& app, Action& action);
void AddPlan(CLI::App& app, Action& action);
void AddLoad(CLI::App& app, Action& action);
void AddUnload(CLI::App& app, Action& action);
void AddGenerate(CLI::App& app, Action& action);
void AddChat(CLI::App& app, Action& action);
void AddTokenize(CLI::App& app, Action& action);
void AddBench(CLI::App& app, Action& action);
void AddToken(CLI::App& app, Action& action);
void AddDoctor(CLI::App& app, Action& action);
void AddOptions(CLI::App& app, Action& action);

// Commands under `enigma models`.
void AddModelsImport(CLI::App& models, Action& action);
void AddModelsInspect(CLI::App& models, Action& action);
void AddModelsSynth(CLI::App& models, Action& action);
void AddModelsRemove(CLI::App& models, Action& action);

}  // namespace enigma::cli
