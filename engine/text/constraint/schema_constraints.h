#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include <absl/container/flat_hash_set.h>
#include <absl/status/statusor.h>

#include "engine/text/constraint/compile_budget.h"
#include "engine/text/constraint/json_tree.h"
#include "engine/text/constraint/number_pattern.h"
#include "engine/text/constraint/schema_branches.h"
#include "engine/text/constraint/schema_keywords.h"

namespace enigma::engine {

// What the members of a branch say together about a value, but for the schemas of its properties and elements.
struct SchemaConstraints {
  static constexpr uint64_t kUnlimited = ~uint64_t{0};

  // Where no member says `type`, the types that its other keywords speak of: {"properties": ...} stands for objects,
  // although JSON Schema would accept everything that is none.
  TypeSet types = kTypeAll;
  // From enum and const: the values that are left, by compact text. Nothing: any value.
  std::optional<std::vector<const JsonNode*>> values;
  NumberBounds bounds;
  uint64_t min_length = 0;
  uint64_t max_length = kUnlimited;
  std::vector<std::string> patterns;            // of formats, too
  std::vector<const JsonNode*> pattern_places;  // beside them, for errors
  uint64_t min_items = 0;
  uint64_t max_items = kUnlimited;
  std::vector<std::string> property_order;  // of all members, in the order in which they are met
  absl::flat_hash_set<std::string> required;
  // Says something about the inside of arrays or objects.
  bool constrains_inside = false;
};

absl::StatusOr<SchemaConstraints> GatherConstraints(const JsonTree& tree, const Branch& branch, CompileBudget& budget);

}  // namespace enigma::engine
