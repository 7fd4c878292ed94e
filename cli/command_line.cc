#include "cli/command_line.h"

#include <algorithm>
#include <cctype>
#include <cstdio>
#include <sstream>

#include <CLI/CLI.hpp>

#include "base/status_macros.h"
#include "base/text.h"
#include "cli/commands/commands.h"
#include "cli/output/standard_output.h"
#include "cli/usage_error.h"

namespace enigma::cli {

namespace {

constexpr int kExitFailure = 1;
constexpr int kExitUsage = 2;

std::string Uncapitalised(std::string text) {
  const auto is_lower = [](char c) { return std::islower(static_cast<unsigned char>(c)) != 0; };
  // The name of an argument, "MODEL", stays as it is.
  if (text.size() > 1 && is_lower(text[1]))
    text[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(text[0])));
  return text;
}

// What the parser found wrong, in words of this program.
std::string Sentence(const CLI::ParseError& error) {
  const std::string text = error.what();
  if (error.get_name() == "ArgumentMismatch") {
    const size_t missing = text.find(": 1 required ");
    if (missing != std::string::npos) return text.substr(0, missing) + " needs a value";
    const size_t given = text.find(" was given a disallowed flag override");
    if (given != std::string::npos) return "--" + text.substr(0, given) + " takes no value";
  }
  if (text == "A subcommand is required") return "a command is missing";
  return Uncapitalised(text);
}

// "--seed=" without a value: the parser would take the next argument for it.
absl::Status CheckAssignments(const CLI::App& root, const std::vector<std::string>& arguments) {
  const CLI::App* command = &root;
  bool is_value = false;
  for (const std::string& argument : arguments) {
    if (argument == "--") break;
    const CLI::Option* option = command->get_option_no_throw(argument.substr(0, argument.find('=')));
    const bool names_option = !is_value && argument.rfind("--", 0) == 0 && option != nullptr;
    if (names_option && argument.back() == '=') return UsageError(argument + " has no value");
    is_value = names_option && argument.find('=') == std::string::npos && option->get_items_expected_max() > 0;
    for (const CLI::App* child : command->get_subcommands([](const CLI::App*) { return true; })) {
      if (child->get_name() == argument) command = child;
    }
  }
  return absl::OkStatus();
}

void AddCommands(CLI::App& app, Action& action) {
  app.set_version_flag("--version", std::string("enigma ") + ENIGMA_VERSION, "show the version and end");
  app.set_help_flag("-h,--help", "show this help and end");
  app.require_subcommand(1);
  app.get_formatter()->column_width(36);
  app.get_formatter()->label("SUBCOMMAND", "COMMAND");
  app.get_formatter()->label("Positionals", "Arguments");
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
  AddDescribe(root);
  AddRoute(root);
  AddSpecialists(root);
  AddTrain(root);
  AddJobs(root);
  AddTokenize(root);
  AddTrainTokenizer(root);
  AddData(root);
  AddEval(root);
  AddBench(root);
  AddToken(root);
  AddKeys(root);
  AddDoctor(root);
  AddOptions(root);
  app.footer(
      "Start here:\n"
      "  enigma up --workers 3 --model model.gguf --name demo     a cluster on this machine\n"
      "  enigma generate --model demo \"Once upon a time\"          in another terminal\n"
      "  enigma COMMAND --help                                    every flag of a command\n"
      "\n"
      "Results go to stdout, progress and logs to stderr. Exit status: 0 success, 1 failure, 2 wrong usage.");
}

// The words of the command that was meant, for the advice to look at its help: "enigma models import".
std::string CommandMeant(const CLI::App& app) {
  std::string words = "enigma";
  const CLI::App* at = &app;
  while (true) {
    const auto chosen = at->get_subcommands();
    if (chosen.empty()) return words;
    at = chosen.front();
    words += " " + at->get_name();
  }
}

int Finish(const absl::Status& status) {
  const absl::Status written = FinishOutput();
  if (!written.ok()) std::fprintf(stderr, "enigma: %s\n", ToString(written.message()).c_str());
  // A command that ended because nobody takes its output has nothing to add.
  const bool told = !written.ok() && absl::IsCancelled(status);
  if (!status.ok() && !told) std::fprintf(stderr, "enigma: %s\n", ToString(status.message()).c_str());
  if (IsUsageError(status)) return kExitUsage;
  return status.ok() && written.ok() ? 0 : kExitFailure;
}

}  // namespace

absl::Status CheckCommandLine(const std::vector<std::string>& arguments) {
  CLI::App app;
  Action action;
  AddCommands(app, action);
  std::vector<std::string> reversed(arguments.rbegin(), arguments.rend());  // CLI11 takes them so
  ENIGMA_RETURN_IF_ERROR(CheckAssignments(app, arguments));
  try {
    app.parse(reversed);
  } catch (const CLI::ParseError& error) {
    return UsageError(Sentence(error));
  }
  return absl::OkStatus();
}

int RunCommandLine(int argc, char** argv) {
  CLI::App app("Enigma: the machines of a network as one computer for language models.", "enigma");
  Action action;
  AddCommands(app, action);
  const absl::Status assigned = CheckAssignments(app, std::vector<std::string>(argv + std::min(argc, 1), argv + argc));
  if (!assigned.ok()) return Finish(assigned);
  try {
    app.parse(argc, argv);
  } catch (const CLI::Success& success) {  // --help, --version
    std::ostringstream text;
    app.exit(success, text, text);
    ShowNow(text.str());
    return Finish(absl::OkStatus());
  } catch (const CLI::ParseError& error) {
    // CLI11 would say that a command is missing where one is misspelt.
    const auto is_named = [&](CLI::App* command) { return argc > 1 && command->get_name() == argv[1]; };
    if (argc > 1 && argv[1][0] != '-' && app.get_subcommands(is_named).empty()) {
      std::fprintf(stderr, "enigma: there is no command \"%s\"; `enigma --help` lists them\n", argv[1]);
    } else {
      std::fprintf(stderr, "enigma: %s\nTry `%s --help`.\n", Sentence(error).c_str(), CommandMeant(app).c_str());
    }
    return kExitUsage;
  }
  return Finish(action());
}

}  // namespace enigma::cli
