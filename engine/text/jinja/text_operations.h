#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/text/jinja/runtime.h"
#include "engine/text/jinja/value.h"

// What the methods of strings and the filters share.
namespace enigma::engine::jinja {

// The first `count` occurrences, all of them where it is negative. An empty `old_text` stands between all characters.
absl::StatusOr<Value> Replace(Runtime& runtime, std::string_view text, std::string_view old_text,
                              std::string_view new_text, int64_t count);
// The texts of the items with `separator` between them.
absl::StatusOr<Value> Join(Runtime& runtime, const std::vector<Value>& items, std::string_view separator);
// At most `splits` cuts, counted from the right where asked; negative for no bound.
absl::StatusOr<Value> SplitOn(Runtime& runtime, std::string_view text, std::string_view separator, int64_t splits,
                              bool from_right);
absl::StatusOr<Value> SplitWords(Runtime& runtime, std::string_view text, int64_t splits, bool from_right);
// `left` and `right` times `fill` at its ends.
absl::StatusOr<Value> Padded(Runtime& runtime, std::string_view text, int64_t left, int64_t right,
                             std::string_view fill);
// It has letters of the case, and none of the other.
bool HasCase(std::string_view text, bool upper);

}  // namespace enigma::engine::jinja
