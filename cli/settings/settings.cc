#include "cli/settings/settings.h"

#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <limits>
#include <system_error>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <yaml-cpp/yaml.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "cli/usage_error.h"

namespace enigma::cli {

namespace {

absl::StatusOr<uint64_t> ParseCount(std::string_view text, uint64_t least, uint64_t most) {
  uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) {
    return UsageError(absl::StrCat("\"", ToAbsl(text), "\" is not a whole number from ", least, " to ", most));
  }
  return value;
}

absl::StatusOr<bool> ParseSwitch(std::string_view text) {
  if (text == "true" || text == "1" || text == "yes" || text == "on") return true;
  if (text == "false" || text == "0" || text == "no" || text == "off" || text.empty()) return false;
  return UsageError(absl::StrCat("\"", ToAbsl(text), "\" is neither true nor false"));
}

absl::Status CheckValue(const DaemonOption& option, std::string_view text) {
  // An empty value is mostly a variable of a script or a template that was not set.
  if (text.empty() && option.kind != OptionKind::kSwitch) return UsageError("the value is empty");
  switch (option.kind) {
    case OptionKind::kText:
    case OptionKind::kTexts:
    case OptionKind::kPath:
      return absl::OkStatus();
    case OptionKind::kAddresses: {
      const auto endpoint = ParseEndpoint(text, 0);
      return endpoint.ok() ? absl::OkStatus() : UsageError(ToString(endpoint.status().message()));
    }
    case OptionKind::kEndpoint:
      return ParseListening(text).status();
    case OptionKind::kPort:
      return ParseCount(text, 0, 65535).status();
    case OptionKind::kCount:
      return ParseCount(text, option.least, option.most).status();
    case OptionKind::kBytes:
      return ParseBytes(text).status();
    case OptionKind::kSwitch:
      return ParseSwitch(text).status();
  }
  return absl::OkStatus();
}

bool TakesSeveral(OptionKind kind) { return kind == OptionKind::kTexts || kind == OptionKind::kAddresses; }

}  // namespace

absl::StatusOr<enigma::Endpoint> ParseListening(std::string_view text) {
  const bool every_address = !text.empty() && text.front() == ':';
  constexpr int kNoPort = -1;
  const auto endpoint = ParseEndpoint(every_address ? "0.0.0.0" + std::string(text) : std::string(text), kNoPort);
  if (!endpoint.ok()) return UsageError(ToString(endpoint.status().message()));
  if (endpoint->port == kNoPort) return UsageError(absl::StrCat("\"", ToAbsl(text), "\" has no port: HOST:PORT"));
  return endpoint;
}

absl::StatusOr<uint64_t> ParseBytes(std::string_view text) {
  const std::string_view whole = text;
  unsigned shift = 0;
  if (!text.empty()) {
    constexpr std::string_view kSuffixes = "KMGT";
    const size_t suffix = kSuffixes.find(static_cast<char>(std::toupper(static_cast<unsigned char>(text.back()))));
    if (suffix != std::string_view::npos) {
      shift = static_cast<unsigned>(10 * (suffix + 1));
      text.remove_suffix(1);
    }
  }
  const auto count = ParseCount(text, 0, std::numeric_limits<uint64_t>::max() >> shift);
  if (!count.ok()) {
    return UsageError(absl::StrCat("\"", ToAbsl(whole), "\" is not a size such as 800M or 12G"));
  }
  return *count << shift;
}

absl::StatusOr<Settings> Settings::Resolve(unsigned daemon, const std::string& file, const Environment& environment,
                                           const Values& flags) {
  Settings settings(daemon);
  if (!file.empty()) ENIGMA_RETURN_IF_ERROR(settings.ReadFile(file));
  settings.place_ = Place::kEnvironment;
  for (const DaemonOption& option : DaemonOptions()) {
    if ((option.daemons & daemon) == 0) continue;
    const std::string variable = EnvironmentName(option.name);
    const char* value = environment(variable.c_str());
    if (value == nullptr || *value == '\0') continue;
    std::vector<std::string> values = {value};
    if (TakesSeveral(option.kind)) values = absl::StrSplit(value, ',', absl::SkipEmpty());
    ENIGMA_RETURN_IF_ERROR(settings.Set(option.name, std::move(values), variable));
  }
  settings.place_ = Place::kFlag;
  for (const auto& [name, values] : flags) {
    if (!values.empty()) ENIGMA_RETURN_IF_ERROR(settings.Set(name, values, "--" + name));
  }
  return settings;
}

absl::Status Settings::Set(std::string_view name, std::vector<std::string> values, const std::string& origin) {
  const DaemonOption* option = FindDaemonOption(name, daemon_);
  if (option == nullptr) return UsageError(absl::StrCat(origin, ": no such setting"));
  if (!TakesSeveral(option->kind) && values.size() != 1) {
    return UsageError(absl::StrCat(origin, ": one value, not ", values.size()));
  }
  for (const std::string& value : values) {
    const absl::Status status = CheckValue(*option, value);
    if (!status.ok()) return UsageError(absl::StrCat(origin, ": ", status.message()));
  }
  values_[option->name] = std::move(values);
  places_[option->name] = place_;
  return absl::OkStatus();
}

absl::Status Settings::ReadFile(const std::string& file) {
  // yaml-cpp loses memory when reading itself fails, as it does for a folder.
  std::error_code ignored;
  if (std::filesystem::is_directory(file, ignored)) return UsageError(absl::StrCat(file, ": cannot be read: a folder"));
  YAML::Node root;
  // yaml-cpp throws; nothing of that leaves this function.
  try {
    root = YAML::LoadFile(file);
    if (root.IsNull()) return absl::OkStatus();
    if (!root.IsMap()) return UsageError(absl::StrCat(file, ": the file is not a list of `key: value` lines"));
    for (const auto& entry : root) {
      const std::string key = entry.first.as<std::string>();
      const std::string origin = absl::StrCat(file, ":", entry.first.Mark().line + 1, ": ", key);
      if (FindDaemonOption(key, daemon_) == nullptr) {
        return UsageError(absl::StrCat(origin, ": no such setting; `enigma ",
                                       daemon_ == kCoordinatorDaemon ? "coordinator" : "worker",
                                       " --help` lists them"));
      }
      std::vector<std::string> values;
      if (entry.second.IsSequence()) {
        for (const auto& item : entry.second) values.push_back(item.as<std::string>());
      } else if (entry.second.IsScalar()) {
        values.push_back(entry.second.as<std::string>());
      } else {
        return UsageError(absl::StrCat(origin, ": neither a value nor a list"));
      }
      ENIGMA_RETURN_IF_ERROR(Set(key, std::move(values), origin));
    }
  } catch (const YAML::BadFile&) {
    return UsageError(absl::StrCat(file, ": cannot be read"));
  } catch (const YAML::Exception& error) {
    return UsageError(absl::StrCat(file, ":", error.mark.line + 1, ": ", error.msg));
  } catch (const std::exception&) {  // of the stream
    return UsageError(absl::StrCat(file, ": cannot be read"));
  }
  return absl::OkStatus();
}

bool Settings::IsSet(std::string_view name) const { return values_.count(std::string(name)) != 0; }

bool Settings::IsNearer(std::string_view name, std::string_view other) const {
  const auto place = [this](std::string_view of) {
    const auto found = places_.find(std::string(of));
    return found == places_.end() ? Place::kNone : found->second;
  };
  return place(name) > place(other);
}

std::vector<std::string> Settings::Texts(std::string_view name) const {
  const auto found = values_.find(std::string(name));
  if (found != values_.end()) return found->second;
  const DaemonOption* option = FindDaemonOption(name, daemon_);
  const std::string fallback = option == nullptr ? "" : DefaultOf(*option, daemon_);
  return fallback.empty() ? std::vector<std::string>{} : std::vector<std::string>{fallback};
}

std::string Settings::Text(std::string_view name) const {
  const std::vector<std::string> values = Texts(name);
  return values.empty() ? "" : values.front();
}

// Values were checked when they were set, and option_table_test checks the defaults; so these cannot fail.
enigma::Endpoint Settings::Endpoint(std::string_view name) const {
  return ParseListening(Text(name)).value_or(enigma::Endpoint{});
}
uint16_t Settings::Port(std::string_view name) const { return static_cast<uint16_t>(Count(name)); }
uint64_t Settings::Count(std::string_view name) const {
  return ParseCount(Text(name), 0, std::numeric_limits<uint32_t>::max()).value_or(0);
}
uint64_t Settings::Bytes(std::string_view name) const { return ParseBytes(Text(name)).value_or(0); }
bool Settings::Switch(std::string_view name) const { return ParseSwitch(Text(name)).value_or(false); }

}  // namespace enigma::cli
