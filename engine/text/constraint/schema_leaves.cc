// The parts of SchemaCompiler for values without structure, and for values that the schema names one by one.

#include <algorithm>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/text/constraint/byte_dfa.h"
#include "engine/text/constraint/pattern_dfa.h"
#include "engine/text/constraint/schema_compiler.h"

namespace enigma::engine {
namespace {

constexpr uint64_t kLengthMax = uint64_t{1} << 30;  // as good as no limit
constexpr uint64_t kMinLengthMax = uint64_t{1} << 20;

size_t CharactersIn(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; }));
}

// Quoted text to test against an automaton that reads JSON strings.
bool AcceptsText(const ByteDfa& dfa, std::string_view text) {
  if (dfa.empty()) return false;
  uint32_t state = 0;
  for (const char c : text) {
    state = dfa.Next(state, static_cast<uint8_t>(c));
    if (state == ByteDfa::kDead) return false;
  }
  return dfa.Accepts(state);
}

}  // namespace

absl::Status SchemaCompiler::AddNumber(const SchemaConstraints& constraints, std::vector<uint32_t>& rules) {
  if ((constraints.types & kTypeInteger) == 0) return absl::OkStatus();  // fractions alone: no type says that
  const std::string pattern = NumberPattern(constraints.bounds, (constraints.types & kTypeFraction) == 0);
  if (pattern.empty()) return absl::OkStatus();
  const auto [found, added] = by_pattern_.try_emplace(absl::StrCat("number ", pattern));
  if (added) {
    ENIGMA_ASSIGN_OR_RETURN(const PatternDfa dfa, CompilePattern(pattern, budget_));
    if (!dfa.empty()) {
      ENIGMA_ASSIGN_OR_RETURN(ByteDfa bytes, ByteDfa::FromPattern(dfa, /*quoted=*/false, budget_));
      found->second = builder_.AddBytes(std::move(bytes));
    }
  }
  if (found->second) rules.push_back(*found->second);
  return absl::OkStatus();
}

absl::StatusOr<PatternDfa> SchemaCompiler::TextAutomaton(const SchemaConstraints& constraints) {
  std::optional<PatternDfa> both;
  for (size_t i = 0; i <= constraints.patterns.size(); ++i) {
    std::string pattern;
    if (i < constraints.patterns.size()) {
      pattern = constraints.patterns[i];
    } else if (constraints.max_length < kLengthMax) {
      pattern = absl::StrCat("^[^]{", constraints.min_length, ",", constraints.max_length, "}$");
    } else if (constraints.min_length > 0) {
      pattern = absl::StrCat("^[^]{", constraints.min_length, ",}$");
    } else {
      continue;
    }
    auto dfa = CompilePattern(pattern, budget_);
    if (dfa.ok() && both) dfa = Intersect(*both, *dfa, budget_);
    if (!dfa.ok()) {
      const JsonNode& place = *constraints.pattern_places[std::min(i, constraints.pattern_places.size() - 1)];
      return absl::Status(dfa.status().code(), absl::StrCat(tree_.PathOf(place), ": ", dfa.status().message()));
    }
    both = *std::move(dfa);
  }
  return *std::move(both);
}

absl::Status SchemaCompiler::AddString(const SchemaConstraints& constraints, std::vector<uint32_t>& rules) {
  if (constraints.min_length > constraints.max_length) return absl::OkStatus();
  if (constraints.min_length > kMinLengthMax) return budget_.Exhausted();
  if (constraints.patterns.empty()) {
    StringRule rule{.min = static_cast<uint32_t>(constraints.min_length)};
    if (constraints.max_length < kLengthMax) rule.max = static_cast<uint32_t>(constraints.max_length);
    rules.push_back(builder_.AddString(rule));
    return absl::OkStatus();
  }
  std::string key = absl::StrCat("string ", constraints.min_length, " ", constraints.max_length);
  for (const std::string& pattern : constraints.patterns) absl::StrAppend(&key, " ", pattern.size(), ":", pattern);
  const auto [found, added] = by_pattern_.try_emplace(std::move(key));
  if (added) {
    ENIGMA_ASSIGN_OR_RETURN(const PatternDfa dfa, TextAutomaton(constraints));
    if (!dfa.empty()) {
      ENIGMA_ASSIGN_OR_RETURN(ByteDfa bytes, ByteDfa::FromPattern(dfa, /*quoted=*/true, budget_));
      found->second = builder_.AddBytes(std::move(bytes));
    }
  }
  if (found->second) rules.push_back(*found->second);
  return absl::OkStatus();
}

absl::StatusOr<bool> SchemaCompiler::Allows(const SchemaConstraints& constraints, const JsonNode& value) {
  if ((TypeOfValue(value) & constraints.types) == 0) return false;
  if (value.IsNumber()) {
    const auto decimal = Decimal::Parse(value.text);
    return decimal.ok() && constraints.bounds.Contains(*decimal);
  }
  if (!value.IsString()) return true;
  const size_t length = CharactersIn(value.text);
  if (length < constraints.min_length || length > constraints.max_length) return false;
  if (constraints.patterns.empty()) return true;
  std::vector<uint32_t> rules;
  ENIGMA_RETURN_IF_ERROR(AddString(constraints, rules));
  return !rules.empty() && AcceptsText(builder_.Bytes(rules.front()), CompactJson(value));
}

absl::Status SchemaCompiler::AddValues(const Branch& branch, const SchemaConstraints& constraints,
                                       std::vector<uint32_t>& rules) {
  const bool inside = constraints.constrains_inside || constraints.min_items > 0 ||
                      constraints.max_items != SchemaConstraints::kUnlimited;
  std::vector<std::string> literals;
  for (const JsonNode* value : *constraints.values) {
    if (!budget_.Spend(1)) return budget_.Exhausted();
    ENIGMA_ASSIGN_OR_RETURN(const bool allowed, Allows(constraints, *value));
    if (!allowed) continue;
    if (!value->IsObject() && !value->IsArray()) {
      literals.push_back(CompactJson(*value));
      continue;
    }
    if (inside) {
      return absl::InvalidArgumentError(
          absl::StrCat(tree_.PathOf(*branch.front()),
                       ": enum or const with arrays or objects is not supported beside keywords about their inside"));
    }
    ENIGMA_ASSIGN_OR_RETURN(const uint32_t rule, ValueRule(*value));
    rules.push_back(rule);
  }
  if (literals.empty()) return absl::OkStatus();
  ENIGMA_ASSIGN_OR_RETURN(const uint32_t rule, LiteralRule(std::move(literals)));
  rules.push_back(rule);
  return absl::OkStatus();
}

absl::StatusOr<uint32_t> SchemaCompiler::LiteralRule(std::vector<std::string> literals) {
  std::string key = "literals";
  std::sort(literals.begin(), literals.end());
  for (const std::string& literal : literals) absl::StrAppend(&key, " ", literal.size(), ":", literal);
  const auto [found, added] = by_pattern_.try_emplace(std::move(key));
  if (added) {
    ENIGMA_ASSIGN_OR_RETURN(ByteDfa bytes, ByteDfa::FromLiterals(std::move(literals), budget_));
    found->second = builder_.AddBytes(std::move(bytes));
  }
  return *found->second;
}

absl::StatusOr<uint32_t> SchemaCompiler::ValueRule(const JsonNode& value) {
  if (!budget_.Spend(1)) return budget_.Exhausted();
  if (value.IsArray()) {
    ArrayRule array;
    for (const JsonNode* element : value.children) {
      ENIGMA_ASSIGN_OR_RETURN(array.prefix.emplace_back(), ValueSlot(*element));
    }
    array.min = array.max = static_cast<uint32_t>(value.children.size());
    return builder_.AddArray(std::move(array));
  }
  if (value.IsObject()) {
    std::vector<ObjectRule::Property> properties;
    for (size_t i = 0; i < value.keys.size(); ++i) {
      ENIGMA_ASSIGN_OR_RETURN(const uint32_t slot, ValueSlot(*value.children[i]));
      properties.push_back({.key = EscapeJson(value.keys[i]), .slot = slot, .required = true});
    }
    return ObjectFrom(std::move(properties), kNoSlot);
  }
  return LiteralRule({CompactJson(value)});
}

absl::StatusOr<uint32_t> SchemaCompiler::ValueSlot(const JsonNode& value) {
  ENIGMA_ASSIGN_OR_RETURN(const uint32_t rule, ValueRule(value));
  const uint32_t slot = builder_.AddSlot();
  builder_.AddAlternative(slot, rule);
  return slot;
}

}  // namespace enigma::engine
