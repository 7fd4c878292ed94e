#include "engine/text/constraint/grammar.h"

namespace enigma::engine {

LocalState Grammar::Start(uint32_t rule) const {
  return rules_[rule].kind == Kind::kString ? StringRule::Start() : LocalState{0};
}

LocalState Grammar::Next(uint32_t rule, LocalState state, uint8_t byte) const {
  const uint32_t index = rules_[rule].index;
  switch (rules_[rule].kind) {
    case Kind::kRoot:
      // One space may come first: vocabularies of words have "{" with a space before it only.
      return state == 0 && byte == ' ' ? LocalState{1} : kDeadState;
    case Kind::kObject:
      return objects_[index].Next(state, byte);
    case Kind::kArray:
      return arrays_[index].Next(state, byte);
    case Kind::kString:
      return strings_[index].Next(state, byte);
    case Kind::kBytes: {
      const ByteDfa& dfa = byte_rules_[index];
      const uint32_t next = dfa.Next(static_cast<uint32_t>(state), byte);
      if (next == ByteDfa::kDead) return kDeadState;
      return dfa.Accepts(next) && !dfa.HasEdges(next) ? kDoneState : LocalState{next};
    }
    case Kind::kText:
      return texts_[index].Next(state, byte);
  }
  return kDeadState;
}

bool Grammar::CallAt(uint32_t rule, LocalState state, SlotCall& call) const {
  const uint32_t index = rules_[rule].index;
  switch (rules_[rule].kind) {
    case Kind::kRoot:
      call = {.slot = index, .after = kDoneState};
      return true;
    case Kind::kObject:
      return objects_[index].CallAt(state, call);
    case Kind::kArray:
      return arrays_[index].CallAt(state, call);
    case Kind::kText:
      return texts_[index].CallAt(state, call);
    case Kind::kString:
    case Kind::kBytes:
      return false;
  }
  return false;
}

uint32_t Grammar::FreeCharacters(uint32_t rule, LocalState state) const {
  switch (rules_[rule].kind) {
    case Kind::kString:
      return strings_[rules_[rule].index].FreeCharacters(state);
    case Kind::kObject:
      return objects_[rules_[rule].index].FreeCharacters(state);
    default:
      return 0;
  }
}

}  // namespace enigma::engine
