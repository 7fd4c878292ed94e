#include "engine/text/constraint/grammar_builder.h"

#include <algorithm>

#include <absl/status/status.h>

#include "base/status_macros.h"

namespace enigma::engine {

GrammarBuilder::GrammarBuilder(CompileBudget& budget) : budget_(budget), grammar_(new Grammar) {
  AddRule(Grammar::Kind::kRoot, 0);
}

uint32_t GrammarBuilder::AddSlot() {
  grammar_->slots_.emplace_back();
  return static_cast<uint32_t>(grammar_->slots_.size() - 1);
}

uint32_t GrammarBuilder::AddRule(Grammar::Kind kind, size_t index) {
  grammar_->rules_.push_back({kind, static_cast<uint32_t>(index)});
  return static_cast<uint32_t>(grammar_->rules_.size() - 1);
}

uint32_t GrammarBuilder::AddObject(ObjectRule rule) {
  grammar_->objects_.push_back(std::move(rule));
  return AddRule(Grammar::Kind::kObject, grammar_->objects_.size() - 1);
}

uint32_t GrammarBuilder::AddArray(ArrayRule rule) {
  grammar_->arrays_.push_back(std::move(rule));
  return AddRule(Grammar::Kind::kArray, grammar_->arrays_.size() - 1);
}

uint32_t GrammarBuilder::AddString(StringRule rule) {
  const auto [found, added] = strings_.try_emplace({rule.min, rule.max}, 0);
  if (added) {
    grammar_->strings_.push_back(rule);
    found->second = AddRule(Grammar::Kind::kString, grammar_->strings_.size() - 1);
  }
  return found->second;
}

uint32_t GrammarBuilder::AddBytes(ByteDfa dfa) {
  grammar_->byte_rules_.push_back(std::move(dfa));
  return AddRule(Grammar::Kind::kBytes, grammar_->byte_rules_.size() - 1);
}

bool GrammarBuilder::CanEnd(const Grammar::Rule& rule, const std::vector<char>& slot_ends) const {
  switch (rule.kind) {
    case Grammar::Kind::kRoot:
    case Grammar::Kind::kString:
    case Grammar::Kind::kBytes:
    case Grammar::Kind::kText:
      return true;
    case Grammar::Kind::kObject: {
      const std::vector<ObjectRule::Property>& properties = grammar_->objects_[rule.index].properties();
      return std::all_of(properties.begin(), properties.end(), [&](const ObjectRule::Property& property) {
        return !property.required || (property.slot != kNoSlot && slot_ends[property.slot] != 0);
      });
    }
    case Grammar::Kind::kArray: {
      const ArrayRule& array = grammar_->arrays_[rule.index];
      for (size_t i = 0; i < std::min<size_t>(array.min, array.prefix.size()); ++i) {
        if (slot_ends[array.prefix[i]] == 0) return false;
      }
      return array.min <= array.max &&
             (array.min <= array.prefix.size() || (array.items != kNoSlot && slot_ends[array.items] != 0));
    }
  }
  return false;
}

bool GrammarBuilder::FindEndings(std::vector<char>& rule_ends, std::vector<char>& slot_ends) {
  const size_t rules = grammar_->rules_.size();
  rule_ends.assign(rules, 0);
  slot_ends.assign(grammar_->slots_.size(), 0);
  std::vector<std::vector<uint32_t>> slots_of(rules);                 // slots with the rule among their alternatives
  std::vector<std::vector<uint32_t>> users(grammar_->slots_.size());  // rules with the slot in them
  std::vector<uint32_t> open;
  uint64_t work = rules;
  for (uint32_t slot = 0; slot < grammar_->slots_.size(); ++slot) {
    for (const uint32_t rule : grammar_->slots_[slot]) slots_of[rule].push_back(slot);
    work += grammar_->slots_[slot].size();
  }
  for (uint32_t i = 0; i < rules; ++i) {
    const Grammar::Rule& rule = grammar_->rules_[i];
    const auto uses = [&](uint32_t slot) {
      if (slot != kNoSlot) users[slot].push_back(i);
      ++work;
    };
    if (rule.kind == Grammar::Kind::kObject) {
      for (const auto& property : grammar_->objects_[rule.index].properties()) {
        if (property.required) uses(property.slot);
      }
    } else if (rule.kind == Grammar::Kind::kArray) {
      for (const uint32_t slot : grammar_->arrays_[rule.index].prefix) uses(slot);
      uses(grammar_->arrays_[rule.index].items);
    }
    open.push_back(i);
  }
  if (!budget_.Spend(work)) return false;
  while (!open.empty()) {
    const uint32_t at = open.back();
    open.pop_back();
    if (rule_ends[at] != 0) continue;
    const Grammar::Rule& rule = grammar_->rules_[at];
    const uint64_t parts = rule.kind == Grammar::Kind::kObject ? grammar_->objects_[rule.index].properties().size() : 1;
    if (!budget_.Spend(1 + parts)) return false;
    if (!CanEnd(rule, slot_ends)) continue;
    rule_ends[at] = 1;
    for (const uint32_t slot : slots_of[at]) {
      if (std::exchange(slot_ends[slot], 1) == 0) open.insert(open.end(), users[slot].begin(), users[slot].end());
    }
  }
  return true;
}

void GrammarBuilder::Prune(const std::vector<char>& rule_ends, const std::vector<char>& slot_ends) {
  for (std::vector<uint32_t>& alternatives : grammar_->slots_) {
    std::erase_if(alternatives, [&](uint32_t rule) { return rule_ends[rule] == 0; });
  }
  const auto ends = [&](uint32_t slot) { return slot != kNoSlot && slot_ends[slot] != 0; };
  for (ObjectRule& object : grammar_->objects_) {
    for (size_t i = 0; i < object.properties().size(); ++i) {
      if (!ends(object.properties()[i].slot)) object.MakeImpossible(i);
    }
    if (!ends(object.additional())) object.DropAdditional();
    object.Finish();
  }
  for (ArrayRule& array : grammar_->arrays_) {
    for (size_t i = 0; i < array.prefix.size(); ++i) {
      if (!ends(array.prefix[i])) array.max = std::min(array.max, static_cast<uint32_t>(i));
    }
    if (!ends(array.items)) array.items = kNoSlot;
  }
}

absl::Status GrammarBuilder::KeepWhatEnds(const std::vector<uint32_t>& needed) {
  std::vector<char> rule_ends;
  std::vector<char> slot_ends;
  if (!FindEndings(rule_ends, slot_ends)) return budget_.Exhausted();
  if (std::any_of(needed.begin(), needed.end(), [&](uint32_t slot) { return slot_ends[slot] == 0; })) {
    return absl::InvalidArgumentError("no finite JSON value satisfies the schema: what it requires excludes itself");
  }
  Prune(rule_ends, slot_ends);
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const Grammar>> GrammarBuilder::Finish(uint32_t root) {
  ENIGMA_RETURN_IF_ERROR(KeepWhatEnds({root}));
  grammar_->rules_[Grammar::kRoot].index = root;
  return std::shared_ptr<const Grammar>(std::move(grammar_));
}

absl::StatusOr<std::shared_ptr<const Grammar>> GrammarBuilder::Finish(TextRule root) {
  std::vector<uint32_t> needed;
  for (const SlotCall& call : root.calls) {
    if (call.slot != kNoSlot) needed.push_back(call.slot);
  }
  ENIGMA_RETURN_IF_ERROR(KeepWhatEnds(needed));
  grammar_->texts_.push_back(std::move(root));
  grammar_->rules_[Grammar::kRoot] = {Grammar::Kind::kText, 0};
  return std::shared_ptr<const Grammar>(std::move(grammar_));
}

}  // namespace enigma::engine
