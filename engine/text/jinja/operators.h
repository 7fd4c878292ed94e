#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/text/jinja/runtime.h"
#include "engine/text/jinja/value.h"

namespace enigma::engine::jinja {

// + - * / // % ** on numbers, + * % on text, + * on lists, as Python has them. Integers have 64 bits; what does not fit
// is an error.
absl::StatusOr<Value> Binary(Runtime& runtime, std::string_view operation, const Value& left, const Value& right);
absl::StatusOr<Value> Negate(const Value& value);
absl::StatusOr<Value> Plus(const Value& value);
// == != < <= > >= in, not in
absl::StatusOr<bool> Relate(Runtime& runtime, std::string_view operation, const Value& left, const Value& right);

// value.name, value[key] and value[start:stop:step]. What is not there is undefined; an attribute of what is undefined
// is an error.
absl::StatusOr<Value> GetAttribute(Runtime& runtime, const Value& value, std::string_view name);
absl::StatusOr<Value> GetItem(Runtime& runtime, const Value& value, const Value& key);
absl::StatusOr<Value> Slice(Runtime& runtime, const Value& value, const Value& start, const Value& stop,
                            const Value& step);
// What a loop goes through: items, characters, keys; nothing of what is undefined.
absl::StatusOr<std::vector<Value>> Items(Runtime& runtime, const Value& value);
// len(); nullopt for what has none.
absl::StatusOr<std::optional<size_t>> Length(Runtime& runtime, const Value& value);

// The error of using something undefined.
absl::Status UndefinedError(const Value& value);

}  // namespace enigma::engine::jinja
