#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "engine/text/constraint/array_rule.h"
#include "engine/text/constraint/local_state.h"
#include "engine/text/constraint/string_rule.h"

namespace enigma::engine {

// A JSON object: its properties in their order, where those that are not required may be left out, and behind them
// others, with names of their own, where `additional` is a slot.
class ObjectRule {
 public:
  struct Property {
    std::string key;  // as EscapeJson writes it
    uint32_t slot = kNoSlot;
    bool required = false;
    bool possible = true;  // false: no value can satisfy it, so it is left out
  };

  ObjectRule(std::vector<Property> properties, uint32_t additional)
      : properties_(std::move(properties)), additional_(additional) {}

  const std::vector<Property>& properties() const { return properties_; }
  uint32_t additional() const { return additional_; }
  void MakeImpossible(size_t property) { properties_[property].possible = false; }
  void DropAdditional() { additional_ = kNoSlot; }
  // To be called once, when it is known which properties are possible; before any of the following.
  void Finish();

  static LocalState Start() { return 0; }
  LocalState Next(LocalState state, uint8_t byte) const;
  bool CallAt(LocalState state, SlotCall& call) const;
  uint32_t FreeCharacters(LocalState state) const;

 private:
  // The keys as a tree over their bytes; node 0 is the root.
  struct KeyNode {
    std::vector<std::pair<uint8_t, uint32_t>> children;
    std::vector<uint32_t> below;  // possible properties whose key begins so, in order
    uint32_t property = kNoSlot;  // whose key ends here
    StringPlace place = StringPlace::kCharacter;
  };

  // Whether a property below `node` may come next, when all before `index` are done with.
  bool Reachable(const KeyNode& node, uint64_t index) const;
  bool MayHaveOthers(uint64_t index) const { return additional_ != kNoSlot && MayClose(index); }
  bool MayClose(uint64_t index) const { return next_required_[index] == properties_.size(); }
  bool MayHaveMore(uint64_t index) const { return Reachable(nodes_.front(), index) || MayHaveOthers(index); }
  LocalState NextInKey(uint64_t index, uint32_t node, uint8_t byte) const;
  LocalState NextInOtherKey(StringPlace place, uint8_t byte) const;

  std::vector<Property> properties_;
  uint32_t additional_;
  std::vector<KeyNode> nodes_;
  std::vector<uint32_t> next_required_;  // by index: the first required property from there on, or how many there are
};

}  // namespace enigma::engine
