#include "telemetry/log.h"

#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>

#include <absl/strings/str_cat.h>
#include <spdlog/sinks/stdout_sinks.h>
#include <spdlog/spdlog.h>

#include "base/text.h"

namespace enigma {
namespace {

constexpr std::string_view kLevels = "debug, info, warning, error or off";

std::optional<spdlog::level::level_enum> ParseLevel(std::string_view text) {
  if (text == "debug") return spdlog::level::debug;
  if (text == "info") return spdlog::level::info;
  if (text == "warning" || text == "warn") return spdlog::level::warn;
  if (text == "error") return spdlog::level::err;
  if (text == "off") return spdlog::level::off;
  return std::nullopt;
}

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  switch (level) {
    case LogLevel::kDebug:
      return spdlog::level::debug;
    case LogLevel::kInfo:
      return spdlog::level::info;
    case LogLevel::kWarning:
      return spdlog::level::warn;
    case LogLevel::kError:
      return spdlog::level::err;
    case LogLevel::kOff:
      break;
  }
  return spdlog::level::off;
}

// spdlog's own pattern compiler reads '%' in a name as a flag.
std::string EscapePattern(const std::string& name) {
  std::string escaped;
  for (const char c : name) escaped += c == '%' ? std::string("%%") : std::string(1, c);
  return escaped;
}

void SetPattern(spdlog::logger& logger, const std::string& name) {
  // UTC, ISO 8601: lines of several machines can be merged by sorting.
  const std::string who = name.empty() ? "" : EscapePattern(name) + ": ";
  logger.set_pattern("%Y-%m-%dT%H:%M:%S.%eZ %L " + who + "%v", spdlog::pattern_time_type::utc);
}

// Never destroyed: threads may log while the process exits.
spdlog::logger& Logger() {
  static spdlog::logger* const logger = [] {
    auto* made = new spdlog::logger("enigma", std::make_shared<spdlog::sinks::stderr_sink_mt>());
    SetPattern(*made, "");
    made->set_level(spdlog::level::info);
    made->flush_on(spdlog::level::debug);
    if (const char* wanted = std::getenv("ENIGMA_LOG"); wanted != nullptr && *wanted != '\0') {
      if (const auto level = ParseLevel(wanted)) {
        made->set_level(*level);
      } else {
        made->warn("ENIGMA_LOG={} is not a level; use {}", wanted, kLevels);
      }
    }
    return made;
  }();
  return *logger;
}

}  // namespace

absl::Status SetLogLevel(const std::string& level) {
  const auto parsed = ParseLevel(level);
  if (!parsed) {
    return absl::InvalidArgumentError(absl::StrCat("log level \"", level, "\" is unknown; use ", ToAbsl(kLevels)));
  }
  Logger().set_level(*parsed);
  return absl::OkStatus();
}

void SetLogName(const std::string& name) { SetPattern(Logger(), name); }

namespace log_internal {

bool Enabled(LogLevel level) { return Logger().should_log(ToSpdlog(level)); }

void Write(LogLevel level, fmt::string_view format, fmt::format_args arguments) {
  const std::string line = fmt::vformat(format, arguments);
  Logger().log(ToSpdlog(level), spdlog::string_view_t(line.data(), line.size()));
}

}  // namespace log_internal

std::string Describe(const absl::Status& status) {
  return absl::StrCat(absl::StatusCodeToString(status.code()), ": ", status.message());
}

}  // namespace enigma
