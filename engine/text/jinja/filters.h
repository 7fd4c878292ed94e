#pragma once

#include <string_view>

#include <absl/status/statusor.h>

#include "engine/text/jinja/runtime.h"
#include "engine/text/jinja/value.h"

namespace enigma::engine::jinja {

// value | name(arguments) and value is name(arguments). Null for a name that Jinja does not know.
using Filter = absl::StatusOr<Value> (*)(Runtime& runtime, const Value& value, Arguments arguments);
using Test = absl::StatusOr<bool> (*)(Runtime& runtime, const Value& value, Arguments arguments);
Filter FindFilter(std::string_view name);
Test FindTest(std::string_view name);
// As above; a name that is unknown is an error that names it.
absl::StatusOr<Value> ApplyFilter(Runtime& runtime, std::string_view name, const Value& value, Arguments arguments);
absl::StatusOr<bool> ApplyTest(Runtime& runtime, std::string_view name, const Value& value, Arguments arguments);

// The tables behind FindFilter.
Filter FindTextFilter(std::string_view name);
Filter FindNumberFilter(std::string_view name);
Filter FindSequenceFilter(std::string_view name);
Filter FindSelectionFilter(std::string_view name);

// value.a.b for the text "a.b", value[3] for an integer; undefined where it is not there.
absl::StatusOr<Value> AttributePath(Runtime& runtime, const Value& value, const Value& path);

}  // namespace enigma::engine::jinja
