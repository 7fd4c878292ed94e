#include "cli/settings/daemon_flags.h"

#include <cstdlib>

namespace enigma::cli {

namespace {

std::string HelpOf(const DaemonOption& option, unsigned daemon) {
  std::string help = option.help;
  const std::string fallback = DefaultOf(option, daemon);
  if (option.kind == OptionKind::kTexts || option.kind == OptionKind::kAddresses) help += "; may be repeated";
  if (!fallback.empty() && option.kind != OptionKind::kSwitch) help += " (default " + fallback + ")";
  return help + " [" + EnvironmentName(option.name) + "]";
}

const char* PlaceholderOf(OptionKind kind) {
  switch (kind) {
    case OptionKind::kPath:
      return "PATH";
    case OptionKind::kEndpoint:
      return "HOST:PORT";
    case OptionKind::kPort:
      return "PORT";
    case OptionKind::kCount:
      return "N";
    case OptionKind::kBytes:
      return "BYTES";
    case OptionKind::kAddresses:
      return "HOST[:PORT]";
    case OptionKind::kTexts:
    case OptionKind::kText:
    case OptionKind::kSwitch:
      break;
  }
  return "TEXT";
}

}  // namespace

DaemonFlags::DaemonFlags(Command& command, unsigned daemon) : daemon_(daemon) {
  command.Text("--config", config_file_, "settings from a YAML file, keys named as the flags [ENIGMA_CONFIG]", "FILE");
  for (const DaemonOption& option : DaemonOptions()) {
    if ((option.daemons & daemon) == 0) continue;
    const std::string flag = std::string("--") + option.name;
    if (option.kind == OptionKind::kSwitch) {
      command.Switch(flag.c_str(), switches_[option.name], HelpOf(option, daemon));
    } else {
      // Several values of a setting that takes one are refused by Resolve, which says so better.
      command.Texts(flag.c_str(), values_[option.name], HelpOf(option, daemon), PlaceholderOf(option.kind));
    }
  }
}

absl::StatusOr<Settings> DaemonFlags::Resolve() const {
  Settings::Values flags = values_;
  for (const auto& [name, on] : switches_) {
    if (on) flags[name] = {"true"};
  }
  std::string file = config_file_;
  if (const char* variable = std::getenv("ENIGMA_CONFIG"); file.empty() && variable != nullptr) file = variable;
  return Settings::Resolve(
      daemon_, file, [](const char* name) -> const char* { return std::getenv(name); }, flags);
}

std::string DefaultDataDir() {
  if (const char* xdg = std::getenv("XDG_DATA_HOME"); xdg != nullptr && *xdg == '/')
    return std::string(xdg) + "/enigma";
  if (const char* home = std::getenv("HOME"); home != nullptr && *home != '\0') {
    return std::string(home) + "/.local/share/enigma";
  }
  return "/var/lib/enigma";
}

}  // namespace enigma::cli
