#pragma once

#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/text/jinja/value.h"

namespace enigma::engine::jinja {

// The arguments of a call, put in the places of the function's parameters.
class Parameters {
 public:
  // `names` in order, the first `required` of them without default. Too many, unknown or missing arguments are errors
  // that name `function`.
  static absl::StatusOr<Parameters> Bind(std::string_view function, Arguments arguments,
                                         std::initializer_list<std::string_view> names, size_t required = 0);

  bool Has(size_t i) const { return values_[i].has_value(); }
  // The argument, or undefined.
  Value At(size_t i) const { return values_[i].value_or(Value()); }
  // Errors name the parameter where the argument is of another kind.
  absl::StatusOr<int64_t> Integer(size_t i, int64_t otherwise = 0) const;
  absl::StatusOr<std::string> Text(size_t i, std::string_view otherwise = "") const;
  bool Flag(size_t i, bool otherwise = false) const { return Has(i) ? values_[i]->IsTrue() : otherwise; }

 private:
  absl::Status WrongKind(size_t i, std::string_view wanted) const;

  std::string function_;
  std::vector<std::string> names_;
  std::vector<std::optional<Value>> values_;
};

}  // namespace enigma::engine::jinja
