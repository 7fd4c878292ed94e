#pragma once

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include <absl/container/flat_hash_map.h>

#include "engine/text/constraint/compile_budget.h"
#include "engine/text/constraint/grammar.h"

namespace enigma::engine {

// Collects rules and slots in any order, then removes what can never be completed.
class GrammarBuilder {
 public:
  explicit GrammarBuilder(CompileBudget& budget);

  uint32_t AddSlot();  // without alternatives yet
  void AddAlternative(uint32_t slot, uint32_t rule) { grammar_->slots_[slot].push_back(rule); }
  size_t AlternativeCount(uint32_t slot) const { return grammar_->slots_[slot].size(); }

  uint32_t AddObject(ObjectRule rule);
  uint32_t AddArray(ArrayRule rule);
  uint32_t AddString(StringRule rule);  // one rule for equal limits
  uint32_t AddBytes(ByteDfa dfa);
  const ByteDfa& Bytes(uint32_t rule) const { return grammar_->byte_rules_[grammar_->rules_[rule].index]; }
  size_t rule_count() const { return grammar_->rules_.size(); }

  // The grammar whose outputs are one of `root`'s alternatives. InvalidArgument when there are none that end.
  absl::StatusOr<std::shared_ptr<const Grammar>> Finish(uint32_t root);
  // The same of texts with calls in them; InvalidArgument where one of the calls has no value that ends.
  absl::StatusOr<std::shared_ptr<const Grammar>> Finish(TextRule root);

 private:
  uint32_t AddRule(Grammar::Kind kind, size_t index);
  bool CanEnd(const Grammar::Rule& rule, const std::vector<char>& slot_ends) const;
  // By slot: whether one of its alternatives can be completed. False in the second when the budget is used up.
  bool FindEndings(std::vector<char>& rule_ends, std::vector<char>& slot_ends);
  void Prune(const std::vector<char>& rule_ends, const std::vector<char>& slot_ends);
  // Removes what cannot be completed; InvalidArgument where that is one of `needed`.
  absl::Status KeepWhatEnds(const std::vector<uint32_t>& needed);

  CompileBudget& budget_;
  std::shared_ptr<Grammar> grammar_;
  absl::flat_hash_map<std::pair<uint32_t, uint32_t>, uint32_t> strings_;  // by limits
};

}  // namespace enigma::engine
