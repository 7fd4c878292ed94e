#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/text/constraint/array_rule.h"
#include "engine/text/constraint/byte_dfa.h"
#include "engine/text/constraint/compile_budget.h"
#include "engine/text/constraint/local_state.h"
#include "engine/text/constraint/object_rule.h"
#include "engine/text/constraint/string_rule.h"
#include "engine/text/constraint/text_rule.h"

namespace enigma::engine {

// What an output may look like, as rules that call each other: a deterministic automaton per rule, over bytes and over
// slots. A slot is a place for one of several rules. Every rule can be completed from each of its states, so that no
// allowed beginning is a dead end. Immutable; thread-safe. docs/constrained_output.md has the whole picture.
class Grammar {
 public:
  // What is generated for a JSON Schema, or for a text with calls in it (schema_calls.cc). InvalidArgument names the
  // keyword that is not supported or wrong, and its path in the schema; ResourceExhausted when the schema needs more
  // than the limits.
  static absl::StatusOr<std::shared_ptr<const Grammar>> FromJsonSchema(std::string_view schema,
                                                                       const ConstraintLimits& limits = {});
  // Any JSON object.
  static std::shared_ptr<const Grammar> AnyJsonObject();

  static constexpr uint32_t kRoot = 0;  // the rule that an output is one of

  LocalState Start(uint32_t rule) const;
  LocalState Next(uint32_t rule, LocalState state, uint8_t byte) const;
  // Whether the rule may end at `state` although it could go on.
  bool MayEnd(uint32_t rule, LocalState state) const {
    if (rules_[rule].kind == Kind::kText) return texts_[rules_[rule].index].dfa.Accepts(static_cast<uint32_t>(state));
    return rules_[rule].kind == Kind::kBytes && byte_rules_[rules_[rule].index].Accepts(static_cast<uint32_t>(state));
  }
  // Whether other rules may begin at `state`; they begin with a byte, never with another call.
  bool CallAt(uint32_t rule, LocalState state, SlotCall& call) const;
  std::span<const uint32_t> Alternatives(uint32_t slot) const { return slots_[slot]; }
  // A bound on what may follow within the rule: so many characters of a JSON string, unescaped and whichever they are.
  uint32_t FreeCharacters(uint32_t rule, LocalState state) const;
  // The automaton of a rule that is one and no more (its states are LocalStates); nullptr for other rules.
  const ByteDfa* Automaton(uint32_t rule) const {
    return rules_[rule].kind == Kind::kBytes ? &byte_rules_[rules_[rule].index] : nullptr;
  }

  // The rule of a text with calls in it, which is the root alone; nullptr for other rules.
  const TextRule* Text(uint32_t rule) const {
    return rules_[rule].kind == Kind::kText ? &texts_[rules_[rule].index] : nullptr;
  }

  size_t rule_count() const { return rules_.size(); }

 private:
  friend class GrammarBuilder;
  enum class Kind : uint8_t { kRoot, kObject, kArray, kString, kBytes, kText };
  struct Rule {
    Kind kind;
    uint32_t index;  // into the vector of its kind; of the root: its slot
  };
  Grammar() = default;

  std::vector<Rule> rules_;
  std::vector<ObjectRule> objects_;
  std::vector<ArrayRule> arrays_;
  std::vector<StringRule> strings_;
  std::vector<ByteDfa> byte_rules_;
  std::vector<TextRule> texts_;
  std::vector<std::vector<uint32_t>> slots_;
};

}  // namespace enigma::engine
