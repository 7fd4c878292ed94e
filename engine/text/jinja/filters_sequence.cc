#include <algorithm>
#include <string>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/text/jinja/characters.h"
#include "engine/text/jinja/filters.h"
#include "engine/text/jinja/operators.h"
#include "engine/text/jinja/parameters.h"
#include "engine/text/jinja/value_compare.h"

namespace enigma::engine::jinja {

namespace {

absl::StatusOr<Value> First(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("first", std::move(arguments), {}));
  ENIGMA_ASSIGN_OR_RETURN(const std::vector<Value> items, Items(runtime, value));
  return items.empty() ? Value::Undefined("No first item, sequence was empty.") : items.front();
}

absl::StatusOr<Value> Last(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("last", std::move(arguments), {}));
  ENIGMA_ASSIGN_OR_RETURN(const std::vector<Value> items, Items(runtime, value));
  return items.empty() ? Value::Undefined("No last item, sequence was empty.") : items.back();
}

absl::StatusOr<Value> LengthFilter(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("length", std::move(arguments), {}));
  ENIGMA_ASSIGN_OR_RETURN(const std::optional<size_t> length, Length(runtime, value));
  if (length.has_value()) return Value::Int(static_cast<int64_t>(*length));
  return absl::InvalidArgumentError(absl::StrCat("object of type '", value.TypeName(), "' has no length"));
}

absl::StatusOr<Value> ListFilter(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("list", std::move(arguments), {}));
  ENIGMA_ASSIGN_OR_RETURN(std::vector<Value> items, Items(runtime, value));
  return runtime.List(std::move(items));
}

absl::StatusOr<Value> Reverse(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("reverse", std::move(arguments), {}));
  if (value.IsString()) return Slice(runtime, value, Value::None(), Value::None(), Value::Int(-1));
  ENIGMA_ASSIGN_OR_RETURN(std::vector<Value> items, Items(runtime, value));
  std::reverse(items.begin(), items.end());
  return runtime.List(std::move(items));
}

absl::StatusOr<Value> ItemsFilter(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("items", std::move(arguments), {}));
  if (value.IsUndefined()) return runtime.List({});
  if (!value.IsDict()) return absl::InvalidArgumentError("items needs a dict");
  ENIGMA_RETURN_IF_ERROR(runtime.Work(value.dict().entries.size()));
  std::vector<Value> pairs;
  for (const auto& entry : value.dict().entries) pairs.push_back(runtime.Tuple({entry.key, entry.value}));
  return runtime.List(std::move(pairs));
}

// What sort, unique, min, max and groupby compare.
absl::StatusOr<Value> KeyOf(Runtime& runtime, const Value& item, const Value& attribute, bool case_sensitive) {
  Value key = item;
  if (!attribute.IsUndefined() && !attribute.IsNone()) {
    ENIGMA_ASSIGN_OR_RETURN(key, AttributePath(runtime, item, attribute));
  }
  if (case_sensitive || !key.IsString()) return key;
  ENIGMA_RETURN_IF_ERROR(runtime.WorkOnBytes(key.text().size() * 4));
  return runtime.String(ToLower(key.text()));
}

struct Keyed {
  Value key, item;
};

// Stable. An error of a comparison ends the sorting.
absl::Status SortByKey(Runtime& runtime, std::vector<Keyed>& entries, bool reverse) {
  absl::Status failed;
  const auto before = [&](const Keyed& a, const Keyed& b) {
    if (!failed.ok() || (a.key.IsUndefined() && b.key.IsUndefined())) return false;
    const absl::StatusOr<int> order = Compare(runtime, a.key, b.key);
    if (!order.ok()) {
      failed = order.status();
      return false;
    }
    return reverse ? *order > 0 : *order < 0;
  };
  std::stable_sort(entries.begin(), entries.end(), before);
  return failed;
}

absl::StatusOr<std::vector<Keyed>> WithKeys(Runtime& runtime, const Value& value, const Value& attribute,
                                            bool case_sensitive) {
  ENIGMA_ASSIGN_OR_RETURN(const std::vector<Value> items, Items(runtime, value));
  std::vector<Keyed> entries;
  for (const Value& item : items) {
    // Several attributes, "a,b", are compared one after the other.
    if (attribute.IsString() && attribute.text().find(',') != std::string::npos) {
      std::vector<Value> keys;
      for (std::string_view rest = attribute.text();;) {
        const size_t comma = std::min(rest.find(','), rest.size());
        ENIGMA_ASSIGN_OR_RETURN(Value key, KeyOf(runtime, item, runtime.String(rest.substr(0, comma)), case_sensitive));
        keys.push_back(std::move(key));
        if (comma == rest.size()) break;
        rest.remove_prefix(comma + 1);
      }
      entries.push_back({runtime.Tuple(std::move(keys)), item});
      continue;
    }
    ENIGMA_ASSIGN_OR_RETURN(Value key, KeyOf(runtime, item, attribute, case_sensitive));
    entries.push_back({std::move(key), item});
  }
  return entries;
}

Value ListOf(Runtime& runtime, const std::vector<Keyed>& entries) {
  std::vector<Value> items;
  for (const Keyed& entry : entries) items.push_back(entry.item);
  return runtime.List(std::move(items));
}

absl::StatusOr<Value> Sort(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given,
                          Parameters::Bind("sort", std::move(arguments), {"reverse", "case_sensitive", "attribute"}));
  ENIGMA_ASSIGN_OR_RETURN(std::vector<Keyed> entries, WithKeys(runtime, value, given.At(2), given.Flag(1)));
  ENIGMA_RETURN_IF_ERROR(SortByKey(runtime, entries, given.Flag(0)));
  return ListOf(runtime, entries);
}

absl::StatusOr<Value> DictSort(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given,
                          Parameters::Bind("dictsort", std::move(arguments), {"case_sensitive", "by", "reverse"}));
  ENIGMA_ASSIGN_OR_RETURN(const std::string by, given.Text(1, "key"));
  if (by != "key" && by != "value") return absl::InvalidArgumentError("dictsort: by must be 'key' or 'value'");
  if (!value.IsDict())
    return absl::InvalidArgumentError(absl::StrCat("dictsort needs a dict, not '", value.TypeName(), "'"));
  ENIGMA_ASSIGN_OR_RETURN(const Value pairs, ItemsFilter(runtime, value, {}));
  ENIGMA_ASSIGN_OR_RETURN(std::vector<Keyed> entries,
                          WithKeys(runtime, pairs, Value::Int(by == "key" ? 0 : 1), given.Flag(0)));
  ENIGMA_RETURN_IF_ERROR(SortByKey(runtime, entries, given.Flag(2)));
  return ListOf(runtime, entries);
}

absl::StatusOr<Value> Unique(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given,
                          Parameters::Bind("unique", std::move(arguments), {"case_sensitive", "attribute"}));
  ENIGMA_ASSIGN_OR_RETURN(const std::vector<Keyed> entries, WithKeys(runtime, value, given.At(1), given.Flag(0)));
  absl::flat_hash_map<std::string, bool> seen;
  std::vector<Value> kept;
  for (const Keyed& entry : entries) {
    ENIGMA_ASSIGN_OR_RETURN(std::string key, HashKey(runtime, entry.key));
    if (seen.try_emplace(std::move(key), true).second) kept.push_back(entry.item);
  }
  return runtime.List(std::move(kept));
}

template <bool largest>
absl::StatusOr<Value> Extreme(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind(largest ? "max" : "min", std::move(arguments),
                                                                   {"case_sensitive", "attribute"}));
  ENIGMA_ASSIGN_OR_RETURN(const std::vector<Keyed> entries, WithKeys(runtime, value, given.At(1), given.Flag(0)));
  if (entries.empty()) return Value::Undefined("No aggregated item, sequence was empty.");
  const Keyed* best = &entries[0];
  for (const Keyed& entry : entries) {
    ENIGMA_ASSIGN_OR_RETURN(const int order, Compare(runtime, entry.key, best->key));
    if (largest ? order > 0 : order < 0) best = &entry;
  }
  return best->item;
}

absl::StatusOr<Value> Sum(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given,
                          Parameters::Bind("sum", std::move(arguments), {"attribute", "start"}));
  ENIGMA_ASSIGN_OR_RETURN(const std::vector<Keyed> entries, WithKeys(runtime, value, given.At(0), true));
  Value total = given.Has(1) ? given.At(1) : Value::Int(0);
  for (const Keyed& entry : entries) {
    ENIGMA_ASSIGN_OR_RETURN(total, Binary(runtime, "+", total, entry.key));
  }
  return total;
}

absl::StatusOr<Value> GroupBy(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("groupby", std::move(arguments),
                                                                   {"attribute", "default", "case_sensitive"}, 1));
  ENIGMA_ASSIGN_OR_RETURN(std::vector<Keyed> entries, WithKeys(runtime, value, given.At(0), given.Flag(2)));
  for (Keyed& entry : entries) {
    if (entry.key.IsUndefined() && given.Has(1)) entry.key = given.At(1);
  }
  ENIGMA_RETURN_IF_ERROR(SortByKey(runtime, entries, false));
  std::vector<Value> groups;
  for (size_t begin = 0; begin < entries.size();) {
    std::vector<Value> members;
    size_t end = begin;
    for (; end < entries.size(); ++end) {
      ENIGMA_ASSIGN_OR_RETURN(const bool same, Equal(runtime, entries[begin].key, entries[end].key));
      if (!same) break;
      members.push_back(entries[end].item);
    }
    groups.push_back(runtime.Tuple({entries[begin].key, runtime.List(std::move(members))}));
    begin = end;
  }
  return runtime.List(std::move(groups));
}

absl::StatusOr<Value> Batch(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given,
                          Parameters::Bind("batch", std::move(arguments), {"linecount", "fill_with"}, 1));
  ENIGMA_ASSIGN_OR_RETURN(const int64_t size, given.Integer(0));
  if (size < 1) return absl::InvalidArgumentError("batch: the size must be at least 1");
  ENIGMA_ASSIGN_OR_RETURN(const std::vector<Value> items, Items(runtime, value));
  std::vector<Value> batches, batch;
  for (const Value& item : items) {
    batch.push_back(item);
    if (static_cast<int64_t>(batch.size()) == size) batches.push_back(runtime.List(std::exchange(batch, {})));
  }
  if (!batch.empty()) {
    if (given.Has(1) && !given.At(1).IsNone()) {
      ENIGMA_RETURN_IF_ERROR(runtime.CheckItems(static_cast<size_t>(size)));
      batch.resize(static_cast<size_t>(size), given.At(1));
    }
    batches.push_back(runtime.List(std::move(batch)));
  }
  return runtime.List(std::move(batches));
}

// Into `slices` lists, the first ones one item longer where they do not come out even.
absl::StatusOr<Value> SliceFilter(Runtime& runtime, const Value& value, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given,
                          Parameters::Bind("slice", std::move(arguments), {"slices", "fill_with"}, 1));
  ENIGMA_ASSIGN_OR_RETURN(const int64_t wanted, given.Integer(0));
  if (wanted < 1) return absl::InvalidArgumentError("slice: the number of slices must be at least 1");
  const size_t slices = static_cast<size_t>(wanted);
  ENIGMA_RETURN_IF_ERROR(runtime.CheckItems(slices));
  ENIGMA_RETURN_IF_ERROR(runtime.Work(slices));
  ENIGMA_ASSIGN_OR_RETURN(const std::vector<Value> items, Items(runtime, value));
  const size_t size = items.size() / slices, longer = items.size() % slices;
  std::vector<Value> lists;
  size_t at = 0;
  for (size_t i = 0; i < slices; ++i) {
    const size_t end = at + size + (i < longer ? 1 : 0);
    std::vector<Value> list(items.begin() + static_cast<std::ptrdiff_t>(at),
                            items.begin() + static_cast<std::ptrdiff_t>(end));
    if (given.Has(1) && !given.At(1).IsNone() && longer > 0 && i >= longer) list.push_back(given.At(1));
    lists.push_back(runtime.List(std::move(list)));
    at = end;
  }
  return runtime.List(std::move(lists));
}

constexpr std::pair<std::string_view, Filter> kSequenceFilters[] = {
    {"batch", Batch},       {"count", LengthFilter},  {"dictsort", DictSort},
    {"first", First},       {"groupby", GroupBy},     {"items", ItemsFilter},
    {"last", Last},         {"length", LengthFilter}, {"list", ListFilter},
    {"max", Extreme<true>}, {"min", Extreme<false>},  {"reverse", Reverse},
    {"slice", SliceFilter}, {"sort", Sort},           {"sum", Sum},
    {"unique", Unique},
};

}  // namespace

Filter FindSequenceFilter(std::string_view name) {
  for (const auto& [known, filter] : kSequenceFilters) {
    if (known == name) return filter;
  }
  return nullptr;
}

}  // namespace enigma::engine::jinja
