#include "coordinator/gateway/openai/body.h"

#include <algorithm>
#include <cmath>

#include <absl/strings/str_cat.h>

#include "base/text.h"
#include "engine/text/json_shape.h"

namespace enigma::coordinator {
namespace {

const Json& Null() {
  static const Json null;
  return null;
}

}  // namespace

absl::StatusOr<Json> ParseBody(std::string_view body) {
  if (const absl::Status shape = engine::CheckJsonShape(body); !shape.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("the body ", shape.message()));
  }
  try {
    Json parsed = Json::parse(body.begin(), body.end());
    if (!parsed.is_object()) return absl::InvalidArgumentError("the body is not a JSON object");
    return parsed;
  } catch (const Json::exception& error) {
    std::string_view what = error.what();
    // Without the library's own name and number of the error.
    if (const size_t end = what.find("] "); end != std::string_view::npos) what.remove_prefix(end + 2);
    return absl::InvalidArgumentError(absl::StrCat("the body is not valid JSON: ", ToAbsl(what)));
  }
}

Fields::Fields(const Json& object, std::string path) : object_(object), path_(std::move(path)) {
  if (!object.is_object()) status_ = absl::InvalidArgumentError(absl::StrCat(path_, ": it is not an object"));
}

std::string Fields::PathOf(std::string_view name) const {
  return path_.empty() ? std::string(name) : absl::StrCat(path_, ".", ToAbsl(name));
}

const Json& Fields::Any(const char* name) {
  known_.emplace_back(name);
  if (!object_.is_object()) return Null();
  const auto found = object_.find(name);
  return found == object_.end() ? Null() : *found;
}

void Fields::Fail(std::string_view name, std::string_view what) {
  if (status_.ok()) status_ = absl::InvalidArgumentError(absl::StrCat(PathOf(name), ": ", ToAbsl(what)));
}

std::string Fields::Text(const char* name, std::string fallback) {
  const Json& value = Any(name);
  if (value.is_null()) return fallback;
  if (value.is_string()) return value.get<std::string>();
  Fail(name, absl::StrCat("a string is wanted, not ", value.type_name()));
  return fallback;
}

bool Fields::Flag(const char* name, bool fallback) {
  const Json& value = Any(name);
  if (value.is_null()) return fallback;
  if (value.is_boolean()) return value.get<bool>();
  Fail(name, absl::StrCat("true or false is wanted, not ", value.type_name()));
  return fallback;
}

std::optional<double> Fields::Number(const char* name, double least, double most) {
  const Json& value = Any(name);
  if (value.is_null()) return std::nullopt;
  if (!value.is_number()) {
    Fail(name, absl::StrCat("a number is wanted, not ", value.type_name()));
    return std::nullopt;
  }
  const double number = value.get<double>();
  if (!(number >= least && number <= most)) {
    Fail(name, absl::StrCat(number, " is not between ", least, " and ", most));
    return std::nullopt;
  }
  return number;
}

std::optional<int64_t> Fields::Integer(const char* name, int64_t least, int64_t most) {
  const Json& value = Any(name);
  if (value.is_null()) return std::nullopt;
  // 16.0 is written by clients whose language knows one kind of number.
  const bool whole =
      value.is_number_integer() || (value.is_number_float() && std::trunc(value.get<double>()) == value.get<double>() &&
                                    std::abs(value.get<double>()) < 9e15);
  if (!whole) {
    Fail(name, absl::StrCat("a whole number is wanted, not ", value.is_number() ? value.dump() : value.type_name()));
    return std::nullopt;
  }
  const bool beyond = value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX);
  const int64_t number = beyond ? INT64_MAX : value.get<int64_t>();
  if (beyond || number < least || number > most) {
    Fail(name, absl::StrCat(value.dump(), " is not between ", least, " and ", most));
    return std::nullopt;
  }
  return number;
}

void Fields::Refuse(const char* name, const Json& harmless, std::string_view why) {
  const Json& value = Any(name);
  if (!value.is_null() && value != harmless) Fail(name, why);
}

absl::Status Fields::Finish() {
  if (!status_.ok() || !object_.is_object()) return status_;
  for (const auto& [name, value] : object_.items()) {
    if (std::find(known_.begin(), known_.end(), name) == known_.end()) {
      Fail(name, "this server does not know the parameter");
      break;
    }
  }
  return status_;
}

bool IsTokenIds(const Json& value) { return value.is_array() && !value.empty() && value[0].is_number(); }

}  // namespace enigma::coordinator
