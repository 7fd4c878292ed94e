#pragma once

#include <CLI/CLI.hpp>

#include "cli/commands/commands.h"

namespace enigma::cli {

// Adds every command to `app`. Parsing sets `action` to what the chosen command does.
void AddCommands(CLI::App& app, Action& action);

// Parses the arguments and runs the command. Returns the exit status: 0 success, 1 failure, 2 wrong usage.
int RunCommandLine(int argc, char** argv);

}  // namespace enigma::cli
