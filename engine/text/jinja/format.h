#pragma once

#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "engine/text/jinja/runtime.h"
#include "engine/text/jinja/value.h"

namespace enigma::engine::jinja {

// text % value: %s %r %d %i %x %o %e %f %g %c %%, with flags, width and precision; %(name)s from a dict.
absl::StatusOr<Value> FormatPercent(Runtime& runtime, std::string_view text, const Value& value);
// text.format(...): {}, {0}, {name}, {a.b}, {a[0]}, with !r or !s and a format specification.
absl::StatusOr<Value> FormatBraces(Runtime& runtime, std::string_view text, const Arguments& arguments);

}  // namespace enigma::engine::jinja
