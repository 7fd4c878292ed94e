#include "cli/command/command.h"

#include <cstdlib>
#include <utility>

#include <CLI/CLI.hpp>

namespace enigma::cli {

namespace {

template <typename Value>
Argument AddOption(CLI::App& app, const char* names, Value& value, const std::string& help, const char* placeholder) {
  CLI::Option* option = app.add_option(names, value, help);
  option->type_name(placeholder);
  return Argument(option);
}

bool AnyFlagGiven(const CLI::App& app) {
  for (const CLI::Option* option : app.get_options()) {
    if (option->count() == 0) continue;
    // A value that the environment gave is not bound to a place on the command line.
    const char* variable = std::getenv(option->get_envname().c_str());
    if (variable == nullptr || option->results() != std::vector<std::string>{variable}) return true;
  }
  return false;
}

}  // namespace

Argument& Argument::Required() {
  option_->required();
  return *this;
}

Argument& Argument::Among(const std::vector<std::string>& values) {
  option_->check(CLI::IsMember(values));
  return *this;
}

Argument& Argument::Between(double low, double high) {
  option_->check(CLI::Range(low, high));
  return *this;
}

Argument& Argument::ExistingFile() {
  option_->check(CLI::ExistingFile);
  return *this;
}

Argument& Argument::Excludes(const Argument& other) {
  option_->excludes(other.option_);
  return *this;
}

Argument& Argument::Or(const char* environment_variable) {
  option_->envname(environment_variable);
  return *this;
}

bool Argument::given() const { return option_->count() > 0; }

Command Command::Add(const char* name, const std::string& help) {
  return Command(*app_->add_subcommand(name, help), *action_);
}

void Command::NeedsSubcommand() { app_->require_subcommand(1); }

Argument Command::Text(const char* names, std::string& value, const std::string& help, const char* placeholder) {
  return AddOption(*app_, names, value, help, placeholder);
}

Argument Command::Texts(const char* names, std::vector<std::string>& values, const std::string& help,
                        const char* placeholder) {
  CLI::Option* option = app_->add_option(names, values, help);
  // Else a flag would swallow the positional arguments behind it.
  option->type_name(placeholder)->allow_extra_args(false);
  return Argument(option);
}

Argument Command::Number(const char* names, uint32_t& value, const std::string& help, const char* placeholder) {
  return AddOption(*app_, names, value, help, placeholder);
}

Argument Command::Number(const char* names, uint64_t& value, const std::string& help, const char* placeholder) {
  return AddOption(*app_, names, value, help, placeholder);
}

Argument Command::Number(const char* names, int& value, const std::string& help, const char* placeholder) {
  return AddOption(*app_, names, value, help, placeholder);
}

Argument Command::Number(const char* names, float& value, const std::string& help, const char* placeholder) {
  return AddOption(*app_, names, value, help, placeholder);
}

Argument Command::Number(const char* names, double& value, const std::string& help, const char* placeholder) {
  return AddOption(*app_, names, value, help, placeholder);
}

Argument Command::Switch(const char* names, bool& value, const std::string& help) {
  return Argument(app_->add_flag(names, value, help));
}

void Command::Does(Action action) {
  app_->callback([app = app_, target = action_, action = std::move(action)] {
    const auto chosen = app->get_subcommands();
    if (chosen.empty()) {
      *target = action;
    } else if (AnyFlagGiven(*app)) {
      throw CLI::ValidationError("the flags of `" + chosen[0]->get_name() + "` stand behind it");
    }
  });
}

}  // namespace enigma::cli
