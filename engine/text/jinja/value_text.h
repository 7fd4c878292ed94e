#pragma once

#include <optional>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "engine/text/jinja/runtime.h"
#include "engine/text/jinja/value.h"

namespace enigma::engine::jinja {

// Appends a value as {{ }} prints it: a string as it is, None, True, [1, 'a'] (or as the dialect has it).
absl::Status AppendText(Runtime& runtime, const Value& value, std::string& out);
absl::StatusOr<std::string> Text(Runtime& runtime, const Value& value);
// As it prints inside a list: strings in quotes.
absl::Status AppendRepr(Runtime& runtime, const Value& value, std::string& out);
// The shortest digits that read back as the same double, as Python prints them: 1.0, 1e+16, inf.
std::string FloatText(double value);

// How json.dumps writes.
struct JsonStyle {
  bool ensure_ascii = false;
  bool sort_keys = false;
  std::optional<std::string> indent;  // of one level; unset for all on one line
  std::string item_separator = ", ";
  std::string key_separator = ": ";
  // What stands for an undefined value; unset makes it an error.
  std::optional<std::string> undefined;
};
absl::Status AppendJson(Runtime& runtime, const Value& value, const JsonStyle& style, std::string& out);

}  // namespace enigma::engine::jinja
