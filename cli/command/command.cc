#include "cli/command/command.h"

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <utility>

#include <CLI/CLI.hpp>

#include "base/utf8.h"

namespace enigma::cli {

namespace {

using Take = std::function<void(const std::string&)>;

// One value; CLI11 alone would say "At Most 1 required but received 2".
CLI::Option* AddOne(CLI::App& app, const char* names, const std::string& help, const char* placeholder, Take take) {
  auto self = std::make_shared<CLI::Option*>(nullptr);
  CLI::callback_t callback = [self, take = std::move(take)](const CLI::results_t& values) {
    if (values.size() != 1) {
      throw CLI::ValidationError((*self)->get_name(),
                                 "it was given " + std::to_string(values.size()) + " times and takes one value");
    }
    take(values.front());
    return true;
  };
  CLI::Option* option = app.add_option(names, std::move(callback), help);
  option->type_name(placeholder)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  *self = option;
  return option;
}

CLI::Option* AddText(CLI::App& app, const char* names, std::string& value, const std::string& help,
                     const char* placeholder) {
  return AddOne(app, names, help, placeholder, [&value](const std::string& text) { value = text; });
}

template <typename Value>
Argument AddNumber(CLI::App& app, const char* names, Value& value, const std::string& help, const char* placeholder) {
  const std::shared_ptr<NumberRule> rule = std::make_shared<NumberRule>(NumberRule::For<Value>());
  CLI::Option* option = AddOne(app, names, help, placeholder, [&value, rule](const std::string& text) {
    value = rule->Read<Value>(text).value_or(value);  // the check below has refused what cannot be read
  });
  // A check without a description leaves the placeholder as it is.
  option->check([rule](const std::string& text) { return rule->Complaint<Value>(text); });
  return Argument(option, rule);
}

void RefuseEmpty(CLI::Option* option) {
  option->check([](const std::string& text) { return text.empty() ? std::string("the value is empty") : ""; });
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
  option_->check([values](const std::string& text) {
    if (std::find(values.begin(), values.end(), text) != values.end()) return std::string();
    return "\"" + text + "\" is none of " + CLI::detail::join(values, ", ");
  });
  return *this;
}

Argument& Argument::ExistingFile() {
  option_->check([](const std::string& text) {
    std::error_code error;
    if (!std::filesystem::exists(text, error)) return "there is no file " + text;
    return std::filesystem::is_directory(text, error) ? text + " is a folder" : std::string();
  });
  return *this;
}

Argument& Argument::Utf8() {
  option_->check([](const std::string& text) {
    const size_t valid = ValidUtf8Prefix(text);
    return valid == text.size() ? std::string() : "the value is not UTF-8 at byte " + std::to_string(valid);
  });
  return *this;
}

Argument& Argument::Meets(std::function<std::string(const std::string& text)> complaint) {
  option_->check(std::move(complaint));
  return *this;
}

Argument& Argument::Between(double low, double high) { return AtLeast(low).AtMost(high); }

Argument& Argument::AtLeast(double low) {
  rule_->low = low;
  return *this;
}

Argument& Argument::Above(double low) {
  rule_->low = low;
  rule_->above = true;
  return *this;
}

Argument& Argument::AtMost(double high) {
  rule_->high = high;
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

std::string Argument::name() const { return option_->get_name(); }

Command Command::Add(const char* name, const std::string& help) {
  return Command(*app_->add_subcommand(name, help)->group("Commands"), *action_);
}

void Command::NeedsSubcommand() { app_->require_subcommand(1); }

Argument Command::Text(const char* names, std::string& value, const std::string& help, const char* placeholder) {
  CLI::Option* option = AddText(*app_, names, value, help, placeholder);
  RefuseEmpty(option);
  return Argument(option);
}

Argument Command::MaybeEmptyText(const char* names, std::string& value, const std::string& help,
                                 const char* placeholder) {
  return Argument(AddText(*app_, names, value, help, placeholder));
}

Argument Command::Texts(const char* names, std::vector<std::string>& values, const std::string& help,
                        const char* placeholder) {
  CLI::callback_t callback = [&values](const CLI::results_t& given) {
    values = given;
    return true;
  };
  CLI::Option* option = app_->add_option(names, std::move(callback), help);
  option->type_name(placeholder)->multi_option_policy(CLI::MultiOptionPolicy::TakeAll);
  RefuseEmpty(option);
  return Argument(option);
}

Argument Command::Number(const char* names, uint32_t& value, const std::string& help, const char* placeholder) {
  return AddNumber(*app_, names, value, help, placeholder);
}

Argument Command::Number(const char* names, uint64_t& value, const std::string& help, const char* placeholder) {
  return AddNumber(*app_, names, value, help, placeholder);
}

Argument Command::Number(const char* names, int& value, const std::string& help, const char* placeholder) {
  return AddNumber(*app_, names, value, help, placeholder);
}

Argument Command::Number(const char* names, float& value, const std::string& help, const char* placeholder) {
  return AddNumber(*app_, names, value, help, placeholder);
}

Argument Command::Number(const char* names, double& value, const std::string& help, const char* placeholder) {
  return AddNumber(*app_, names, value, help, placeholder);
}

Argument Command::Switch(const char* names, bool& value, const std::string& help) {
  return Argument(app_->add_flag(names, value, help)->disable_flag_override());
}

void Command::Examples(const std::vector<std::string>& lines) {
  app_->footer("Examples:\n  " + CLI::detail::join(lines, "\n  "));
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
