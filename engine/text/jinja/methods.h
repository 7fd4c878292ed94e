#pragma once

#include <string_view>

#include <absl/status/statusor.h>

#include "engine/text/jinja/runtime.h"
#include "engine/text/jinja/value.h"

namespace enigma::engine::jinja {

// The methods of strings, lists and dicts that leave them as they are.
bool HasMethod(const Value& value, std::string_view name);
// Those that would change the value; Jinja's immutable sandbox refuses them too.
bool IsForbiddenMethod(const Value& value, std::string_view name);
absl::StatusOr<Value> CallMethod(Runtime& runtime, const Value& value, std::string_view name, Arguments arguments);
// `value.name` without a call, to be called later.
Value BindMethod(Runtime& runtime, const Value& value, std::string_view name);

// The tables behind them.
using Method = absl::StatusOr<Value> (*)(Runtime& runtime, const Value& value, Arguments arguments);
Method FindStringMethod(std::string_view name);
Method FindListMethod(std::string_view name);
Method FindDictMethod(std::string_view name);

}  // namespace enigma::engine::jinja
