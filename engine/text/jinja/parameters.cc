#include "engine/text/jinja/parameters.h"

#include <algorithm>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/text.h"

namespace enigma::engine::jinja {

absl::StatusOr<Parameters> Parameters::Bind(std::string_view function, Arguments arguments,
                                            std::initializer_list<std::string_view> names, size_t required) {
  Parameters bound;
  bound.function_ = function;
  bound.names_.assign(names.begin(), names.end());
  bound.values_.resize(names.size());
  if (arguments.positional.size() > names.size()) {
    return absl::InvalidArgumentError(absl::StrCat(bound.function_, " takes at most ", names.size(), " arguments, not ",
                                                   arguments.positional.size()));
  }
  for (size_t i = 0; i < arguments.positional.size(); ++i) bound.values_[i] = std::move(arguments.positional[i]);
  for (auto& [name, value] : arguments.named) {
    const auto it = std::find(bound.names_.begin(), bound.names_.end(), name);
    const size_t i = static_cast<size_t>(it - bound.names_.begin());
    if (it == bound.names_.end() || bound.values_[i].has_value()) {
      return absl::InvalidArgumentError(absl::StrCat(bound.function_, " has no parameter '", name, "' left to set"));
    }
    bound.values_[i] = std::move(value);
  }
  for (size_t i = 0; i < required; ++i) {
    if (!bound.values_[i].has_value()) {
      return absl::InvalidArgumentError(absl::StrCat(bound.function_, " needs the argument '", bound.names_[i], "'"));
    }
  }
  return bound;
}

absl::Status Parameters::WrongKind(size_t i, std::string_view wanted) const {
  return absl::InvalidArgumentError(absl::StrCat("the argument '", names_[i], "' of ", function_, " must be ",
                                                 ToAbsl(wanted), ", not '", values_[i]->TypeName(), "'"));
}

absl::StatusOr<int64_t> Parameters::Integer(size_t i, int64_t otherwise) const {
  if (!Has(i) || values_[i]->IsNone()) return otherwise;
  if (!values_[i]->IsInteger()) return WrongKind(i, "an integer");
  return values_[i]->AsInteger();
}

absl::StatusOr<std::string> Parameters::Text(size_t i, std::string_view otherwise) const {
  if (!Has(i) || values_[i]->IsNone()) return std::string(otherwise);
  if (!values_[i]->IsString()) return WrongKind(i, "a string");
  return values_[i]->text();
}

}  // namespace enigma::engine::jinja
