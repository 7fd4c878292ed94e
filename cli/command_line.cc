#include "cli/command_line.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <iostream>

#include <CLI/CLI.hpp>

#include "base/text.h"
#include "cli/commands/commands.h"
#include "cli/usage_error.h"

namespace enigma::cli {

namespace {

constexpr int kExitFailure = 1;
constexpr int kExitUsage = 2;

std::string Uncapitalised(std::string text) {
  if (!text.empty()) text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

void AddCommands(CLI::App& app, Action& action) {
  app.set_version_flag("--version", std::string("enigma ") + ENIGMA_VERSION);
  app.require_subcommand(1);
  app.get_formatter()->column_width(36);
  Command root(app, action);
  AddUp(root);
  AddCoordinator(root);
  AddWorker(root);
  AddNodes(root);
  AddModels(root);
  AddPlan(root);
  AddLoad(root);
  AddUnload(root);
  AddGenerate(root);
  AddChat(root);
  AddTokenize(root);
  AddBench(root);
  AddToken(root);
  AddDoctor(root);
  AddOptions(root);
}

}  // namespace

absl::Status CheckCommandLine(const std::vector<std::string>& arguments) {
  CLI::App app;
  Action action;
  AddCommands(app, action);
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // CLI11 takes them so
  try {
    app.parse(reversed);
  } catch (const CLI::ParseError& error) {
    return UsageError(error.what());
  }
  return absl::OkStatus();
}

int RunCommandLine(int argc, char** argv) {
  CLI::App app("Enigma: the machines of a network as one computer for language models.", "enigma");
  Action action;
  AddCommands(app, action);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help, --version
    return app.exit(success, std::cout, std::cerr);
  } catch (const CLI::ParseError& error) {
    // CLI11 would say that a command is missing where one is misspelt.
    const auto is_named = [&](CLI::App* command) { return argc > 1 && command->get_name() == argv[1]; };
    if (argc > 1 && argv[1][0] != '-' && app.get_subcommands(is_named).empty()) {
      std::fprintf(stderr, "enigma: there is no command \"%s\"; `enigma --help` lists them\n", argv[1]);
    } else {
      std::fprintf(stderr, "enigma: %s\nTry `enigma --help`, or `enigma COMMAND --help`.\n",
                   Uncapitalised(error.what()).c_str());
    }
    return kExitUsage;
  }
  const absl::Status status = action();
  std::fflush(stdout);
  if (status.ok()) return 0;
  std::fprintf(stderr, "enigma: %s\n", ToString(status.message()).c_str());
  return IsUsageError(status) ? kExitUsage : kExitFailure;
}

}  // namespace enigma::cli
