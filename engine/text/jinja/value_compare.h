#pragma once

#include <string>

#include <absl/status/statusor.h>

#include "engine/text/jinja/runtime.h"
#include "engine/text/jinja/value.h"

namespace enigma::engine::jinja {

// ==. Values of different kinds are unequal, numbers compare by value. Fails only where the work is spent.
absl::StatusOr<bool> Equal(Runtime& runtime, const Value& a, const Value& b);
// Negative, zero or positive. Fails for what has no order ('<' between a string and a number).
absl::StatusOr<int> Compare(Runtime& runtime, const Value& a, const Value& b);
// `item in container`.
absl::StatusOr<bool> Contains(Runtime& runtime, const Value& container, const Value& item);
// A text that is equal exactly for keys that are equal. Fails for lists and dicts, which cannot be keys.
absl::StatusOr<std::string> HashKey(Runtime& runtime, const Value& key);

}  // namespace enigma::engine::jinja
