#pragma once

#include <fmt/core.h>

#include <string>
#include <utility>

#include <absl/status/status.h>

// One line per event on stderr, so that stdout carries results only. All functions are thread-safe.
namespace enigma {

enum class LogLevel { kDebug, kInfo, kWarning, kError, kOff };

// Sets the level from the text "debug", "info", "warning", "error" or "off". ENIGMA_LOG, read at the first line
// logged, sets the same thing; a call of this function overrides it.
absl::Status SetLogLevel(const std::string& level);

// Written into each line after the level: which process of several is speaking, such as "worker 1f2e".
void SetLogName(const std::string& name);

namespace log_internal {
bool Enabled(LogLevel level);
void Write(LogLevel level, fmt::string_view format, fmt::format_args arguments);
}  // namespace log_internal

template <typename... Args>
void LogDebug(fmt::format_string<Args...> format, Args&&... args) {
  if (!log_internal::Enabled(LogLevel::kDebug)) return;
  log_internal::Write(LogLevel::kDebug, format, fmt::make_format_args(args...));
}

template <typename... Args>
void LogInfo(fmt::format_string<Args...> format, Args&&... args) {
  if (!log_internal::Enabled(LogLevel::kInfo)) return;
  log_internal::Write(LogLevel::kInfo, format, fmt::make_format_args(args...));
}

template <typename... Args>
void LogWarn(fmt::format_string<Args...> format, Args&&... args) {
  if (!log_internal::Enabled(LogLevel::kWarning)) return;
  log_internal::Write(LogLevel::kWarning, format, fmt::make_format_args(args...));
}

template <typename... Args>
void LogError(fmt::format_string<Args...> format, Args&&... args) {
  if (!log_internal::Enabled(LogLevel::kError)) return;
  log_internal::Write(LogLevel::kError, format, fmt::make_format_args(args...));
}

// The message of a status, for a log line: "NOT_FOUND: no such model".
std::string Describe(const absl::Status& status);

}  // namespace enigma
