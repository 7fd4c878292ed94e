#include <charconv>
#include <string>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/text/jinja/filters.h"
#include "engine/text/jinja/operators.h"
#include "engine/text/jinja/parameters.h"

namespace enigma::engine::jinja {

namespace {

absl::StatusOr<Value> Default(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given,
                          Parameters::Bind("default", std::move(arguments), {"default_value", "boolean"}));
  const bool missing = value.IsUndefined() || (given.Flag(1) && !value.IsTrue());
  if (!missing) return value;
  return given.Has(0) ? given.At(0) : runtime.String("");
}

absl::StatusOr<Value> Attr(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("attr", std::move(arguments), {"name"}, 1));
  ENIGMA_ASSIGN_OR_RETURN(const std::string name, given.Text(0));
  // Attributes only: the keys of a dict are none.
  if (value.IsDict()) return Value::Undefined(absl::StrCat("'dict object' has no attribute '", name, "'"));
  return GetAttribute(runtime, value, name);
}

// map('filter', ...) and map(attribute='a.b', default=...)
absl::StatusOr<Value> Map(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(std::vector<Value> items, Items(runtime, value));
  if (arguments.positional.empty()) {
    ENIGMA_ASSIGN_OR_RETURN(const Parameters given,
                            Parameters::Bind("map", std::move(arguments), {"attribute", "default"}));
    if (!given.Has(0)) return absl::InvalidArgumentError("map needs the name of a filter, or attribute=");
    for (Value& item : items) {
      ENIGMA_ASSIGN_OR_RETURN(item, AttributePath(runtime, item, given.At(0)));
      if (item.IsUndefined() && given.Has(1)) item = given.At(1);
    }
    return runtime.List(std::move(items));
  }
  const Value name = arguments.positional[0];
  if (!name.IsString()) return absl::InvalidArgumentError("map needs the name of a filter");
  arguments.positional.erase(arguments.positional.begin());
  for (Value& item : items) {
    ENIGMA_RETURN_IF_ERROR(runtime.Work(1));
    ENIGMA_ASSIGN_OR_RETURN(item, ApplyFilter(runtime, name.text(), item, arguments));
  }
  return runtime.List(std::move(items));
}

// select, reject and their attr forms: the items for which a test (being true, where none is named) gives `wanted`.
template <bool wanted, bool by_attribute>
absl::StatusOr<Value> Select(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const std::vector<Value> items, Items(runtime, value));
  Value path;
  const auto take = [&] {
    Value first = std::move(arguments.positional.front());
    arguments.positional.erase(arguments.positional.begin());
    return first;
  };
  if (by_attribute) {
    if (arguments.positional.empty()) return absl::InvalidArgumentError("the name of an attribute is missing");
    path = take();
  }
  const bool tested = !arguments.positional.empty();
  const Value test = tested ? take() : Value();
  if (tested && !test.IsString()) return absl::InvalidArgumentError("the test must be named by a string");
  std::vector<Value> kept;
  for (const Value& item : items) {
    ENIGMA_RETURN_IF_ERROR(runtime.Work(1));
    Value subject = item;
    if (by_attribute) {
      ENIGMA_ASSIGN_OR_RETURN(subject, AttributePath(runtime, item, path));
    }
    bool holds = subject.IsTrue();
    if (tested) {
      ENIGMA_ASSIGN_OR_RETURN(holds, ApplyTest(runtime, test.text(), subject, arguments));
    }
    if (holds == wanted) kept.push_back(item);
  }
  return runtime.List(std::move(kept));
}

constexpr std::pair<std::string_view, Filter> kSelectionFilters[] = {
    {"attr", Attr},
    {"d", Default},
    {"default", Default},
    {"map", Map},
    {"reject", Select<false, false>},
    {"rejectattr", Select<false, true>},
    {"select", Select<true, false>},
    {"selectattr", Select<true, true>},
};

}  // namespace

Filter FindSelectionFilter(std::string_view name) {
  for (const auto& [known, filter] : kSelectionFilters) {
    if (known == name) return filter;
  }
  return nullptr;
}

Filter FindFilter(std::string_view name) {
  for (const auto find : {FindTextFilter, FindNumberFilter, FindSequenceFilter, FindSelectionFilter}) {
    if (const Filter filter = find(name)) return filter;
  }
  return nullptr;
}

absl::StatusOr<Value> ApplyFilter(Runtime& runtime, std::string_view name, const Value& value, Arguments arguments) {
  const Filter filter = FindFilter(name);
  if (filter == nullptr)
    return absl::InvalidArgumentError(absl::StrCat("there is no filter named '", ToAbsl(name), "'"));
  return filter(runtime, value, std::move(arguments));
}

absl::StatusOr<Value> AttributePath(Runtime& runtime, const Value& value, const Value& path) {
  if (!path.IsString()) return GetItem(runtime, value, path);
  Value found = value;
  for (std::string_view rest = path.text();;) {
    const size_t dot = std::min(rest.find('.'), rest.size());
    const std::string_view part = rest.substr(0, dot);
    int64_t index = 0;
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), index);
    const bool number = error == std::errc() && end == part.data() + part.size() && part[0] != '-';
    ENIGMA_RETURN_IF_ERROR(runtime.Work(1));
    // Items come before methods here: the attribute "items" of a dict is its key.
    ENIGMA_ASSIGN_OR_RETURN(found, GetItem(runtime, found, number ? Value::Int(index) : runtime.String(part)));
    if (dot == rest.size()) return found;
    rest.remove_prefix(dot + 1);
  }
}

}  // namespace enigma::engine::jinja
