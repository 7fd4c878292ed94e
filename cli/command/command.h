#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/status.h>

#include "cli/command/number_rule.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace enigma::cli {

// What a parsed command line does. Results go to stdout, progress and logs to stderr; an error becomes the exit status.
using Action = std::function<absl::Status()>;

// A flag or a positional argument. A handle: the parser owns what is behind it, and outlives the action.
class Argument {
 public:
  explicit Argument(CLI::Option* option, std::shared_ptr<NumberRule> rule = nullptr)
      : option_(option), rule_(std::move(rule)) {}

  Argument& Required();
  // Texts:
  Argument& Among(const std::vector<std::string>& values);
  Argument& ExistingFile();
  Argument& Utf8();  // it travels in a message, which holds no other bytes
  // What is wrong with a value, or nothing.
  Argument& Meets(std::function<std::string(const std::string& text)> complaint);
  // Numbers:
  Argument& Between(double low, double high);
  Argument& AtLeast(double low);
  Argument& Above(double low);  // and not `low` itself
  Argument& AtMost(double high);
  Argument& Excludes(const Argument& other);
  // Takes its value from this variable where the flag is not given.
  Argument& Or(const char* environment_variable);

  bool given() const;        // once parsed
  std::string name() const;  // "--model"

 private:
  CLI::Option* option_;
  std::shared_ptr<NumberRule> rule_;  // shared with the parser; null where the value is no number
};

// A command with its flags, as the parser sees it. Stands between the commands and CLI11, which costs several seconds
// of compilation wherever it is included. A handle, like Argument; the variables given must outlive the parser.
class Command {
 public:
  Command(CLI::App& app, Action& action) : app_(&app), action_(&action) {}

  Command Add(const char* name, const std::string& help);
  void NeedsSubcommand();

  // `names`: "--model,-m" for a flag, "MODEL" for a positional argument. Only Texts may be given more than once, with
  // one value each time. A Text that is empty is refused: it is mostly a variable of a script that was not set.
  Argument Text(const char* names, std::string& value, const std::string& help, const char* placeholder = "TEXT");
  Argument MaybeEmptyText(const char* names, std::string& value, const std::string& help,
                          const char* placeholder = "TEXT");
  Argument Texts(const char* names, std::vector<std::string>& values, const std::string& help,
                 const char* placeholder = "TEXT");
  Argument Number(const char* names, uint32_t& value, const std::string& help, const char* placeholder = "N");
  Argument Number(const char* names, uint64_t& value, const std::string& help, const char* placeholder = "N");
  Argument Number(const char* names, int& value, const std::string& help, const char* placeholder = "N");
  Argument Number(const char* names, float& value, const std::string& help, const char* placeholder = "X");
  Argument Number(const char* names, double& value, const std::string& help, const char* placeholder = "X");
  Argument Switch(const char* names, bool& value, const std::string& help);

  // Lines below the help, each shown as it is.
  void Examples(const std::vector<std::string>& lines);

  // What happens when this command, and none of its sub-commands, is chosen.
  void Does(Action action);

 private:
  CLI::App* app_;
  Action* action_;
};

}  // namespace enigma::cli
