#pragma once

#include <cstddef>
#include <string_view>

#include <absl/status/status.h>
#include <nlohmann/json.hpp>

namespace enigma::engine {

// What JSON of strangers may cost. The library that parses it keeps the order of fields by comparing each with all
// before it, and needs tens of bytes for a value of two.
struct JsonShapeLimits {
  size_t depth_max = 64;          // at most 256
  size_t fields_max = 1024;       // of one object
  size_t values_max = 1'000'000;  // altogether
};

// Looks over text that is to be parsed as JSON, in one pass and without memory. INVALID_ARGUMENT says what is too much,
// as the rest of a sentence: "nests deeper than 64 levels". What is no JSON is for the parser to find.
absl::Status CheckJsonShape(std::string_view text, const JsonShapeLimits& limits = {});

// The value; a discarded one where the text is no JSON or beyond the limits.
nlohmann::ordered_json ParseJsonOfStrangers(std::string_view text, const JsonShapeLimits& limits = {});

}  // namespace enigma::engine
