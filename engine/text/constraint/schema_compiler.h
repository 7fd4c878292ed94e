#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/status/statusor.h>

#include "engine/text/constraint/compile_budget.h"
#include "engine/text/constraint/grammar.h"
#include "engine/text/constraint/grammar_builder.h"
#include "engine/text/constraint/json_tree.h"
#include "engine/text/constraint/schema_branches.h"
#include "engine/text/constraint/schema_constraints.h"

namespace enigma::engine {

// Turns one schema into a grammar. A slot stands for a set of schemas that a value must satisfy at once; slots are
// filled from a queue, so recursive schemas end and deep ones need no stack. Not thread-safe.
class SchemaCompiler {
 public:
  SchemaCompiler(const JsonTree& tree, CompileBudget& budget)
      : tree_(tree), budget_(budget), branches_(tree, budget), builder_(budget) {}

  absl::StatusOr<std::shared_ptr<const Grammar>> Run();

 private:
  using Schemas = std::vector<const JsonNode*>;

  // Of a root with "$calls": a text with calls in it.
  absl::StatusOr<std::shared_ptr<const Grammar>> RunCalls(const JsonNode& calls);
  absl::Status FillSlots();

  // The slot for values that satisfy all of `schemas`; made and queued when it is new.
  absl::StatusOr<uint32_t> SlotFor(Schemas schemas);
  absl::Status FillSlot(uint32_t slot, const Schemas& schemas);
  absl::StatusOr<std::vector<uint32_t>> RulesOf(const Branch& branch);

  // Each appends the rules it makes: none where no value is left.
  absl::Status AddSimple(TypeSet types, std::vector<uint32_t>& rules);
  absl::Status AddNumber(const SchemaConstraints& constraints, std::vector<uint32_t>& rules);
  absl::Status AddString(const SchemaConstraints& constraints, std::vector<uint32_t>& rules);
  absl::Status AddArray(const Branch& branch, const SchemaConstraints& constraints, std::vector<uint32_t>& rules);
  absl::Status AddObject(const Branch& branch, const SchemaConstraints& constraints, std::vector<uint32_t>& rules);
  absl::StatusOr<uint32_t> AdditionalOf(const Branch& branch, bool has_properties);
  absl::Status AddValues(const Branch& branch, const SchemaConstraints& constraints, std::vector<uint32_t>& rules);

  absl::StatusOr<bool> Allows(const SchemaConstraints& constraints, const JsonNode& value);
  // The automaton of all patterns and length limits together.
  absl::StatusOr<PatternDfa> TextAutomaton(const SchemaConstraints& constraints);
  absl::StatusOr<uint32_t> LiteralRule(std::vector<std::string> literals);
  absl::StatusOr<uint32_t> ValueRule(const JsonNode& value);
  absl::StatusOr<uint32_t> ValueSlot(const JsonNode& value);
  absl::StatusOr<uint32_t> ObjectFrom(std::vector<ObjectRule::Property> properties, uint32_t additional);

  const JsonTree& tree_;
  CompileBudget& budget_;
  SchemaBranches branches_;
  GrammarBuilder builder_;
  absl::flat_hash_map<Schemas, uint32_t> slots_;                          // by sorted schemas
  absl::flat_hash_map<Branch, std::vector<uint32_t>> rules_;              // by sorted branch
  absl::flat_hash_map<std::string, std::optional<uint32_t>> by_pattern_;  // nothing: no text matches
  std::deque<std::pair<uint32_t, Schemas>> queue_;
};

}  // namespace enigma::engine
