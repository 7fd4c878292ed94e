#pragma once

#include <string>
#include <vector>

#include <absl/container/flat_hash_set.h>
#include <absl/status/statusor.h>

#include "engine/text/constraint/compile_budget.h"
#include "engine/text/constraint/json_tree.h"

namespace enigma::engine {

// Schema objects that a value must satisfy all at once, each once, in the order in which they were met.
using Branch = std::vector<const JsonNode*>;

// Multiplies schemas out: follows $ref and allOf, and takes anyOf and oneOf apart, until what is left is a list of
// branches, one of which a value must satisfy. What a member says itself (not by those four keywords) then holds for
// it. oneOf is read as anyOf: a value that several alternatives accept is not excluded. Not thread-safe.
class SchemaBranches {
 public:
  SchemaBranches(const JsonTree& tree, CompileBudget& budget) : tree_(tree), budget_(budget) {}

  // Of a value that must satisfy all of `schemas`; no branch where nothing does. InvalidArgument for unsupported
  // keywords and references that lead nowhere or round in a circle, ResourceExhausted for too many branches.
  absl::StatusOr<std::vector<Branch>> Of(const std::vector<const JsonNode*>& schemas);

 private:
  absl::Status Apply(const JsonNode& schema, std::vector<Branch>& branches);
  absl::Status ApplyMembers(const JsonNode& schema, std::vector<Branch>& branches);
  absl::Status ApplyChoice(const JsonNode& alternatives, std::vector<Branch>& branches);
  absl::Status CheckOnce(const JsonNode& schema);

  const JsonTree& tree_;
  CompileBudget& budget_;
  absl::flat_hash_set<const JsonNode*> checked_;
  std::vector<const JsonNode*> path_;  // schemas being applied
};

}  // namespace enigma::engine
