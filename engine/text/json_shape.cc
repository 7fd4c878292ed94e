#include "engine/text/json_shape.h"

#include <algorithm>
#include <array>

#include <absl/strings/str_cat.h>

namespace enigma::engine {
namespace {

constexpr size_t kLevels = 256;

struct Level {
  bool is_object = false;
  size_t commas = 0;
};

// Behind the string that begins before `at`.
size_t StringEnd(std::string_view text, size_t at) {
  while (at < text.size() && text[at] != '"') at += text[at] == '\\' ? 2 : 1;
  return std::min(at + 1, text.size());
}

}  // namespace

absl::Status CheckJsonShape(std::string_view text, const JsonShapeLimits& limits) {
  std::array<Level, kLevels> levels;
  const size_t depth_max = std::min(limits.depth_max, kLevels - 1);
  size_t depth = 0;
  size_t values = 1;
  for (size_t at = 0; at < text.size();) {
    switch (text[at++]) {
      case '"':
        at = StringEnd(text, at);
        break;
      case '{':
      case '[':
        if (depth == depth_max)
          return absl::InvalidArgumentError(absl::StrCat("nests deeper than ", depth_max, " levels"));
        levels[++depth] = {.is_object = text[at - 1] == '{'};
        ++values;
        break;
      case '}':
      case ']':
        if (depth > 0) --depth;
        break;
      case ',':
        ++values;
        if (++levels[depth].commas >= limits.fields_max && levels[depth].is_object) {
          return absl::InvalidArgumentError(absl::StrCat("has an object of more than ", limits.fields_max, " fields"));
        }
        break;
      default:
        break;
    }
    if (values > limits.values_max) {
      return absl::InvalidArgumentError(absl::StrCat("holds more than ", limits.values_max, " values"));
    }
  }
  return absl::OkStatus();
}

nlohmann::ordered_json ParseJsonOfStrangers(std::string_view text, const JsonShapeLimits& limits) {
  using Json = nlohmann::ordered_json;
  if (!CheckJsonShape(text, limits).ok()) return Json(Json::value_t::discarded);
  return Json::parse(text, nullptr, /*allow_exceptions=*/false);
}

}  // namespace enigma::engine
