#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/text/constraint/array_rule.h"
#include "engine/text/constraint/byte_dfa.h"
#include "engine/text/constraint/compile_budget.h"
#include "engine/text/constraint/local_state.h"

namespace enigma::engine {

// Free text in which calls may stand: any bytes, but where a mark is complete a call must follow, as far as its end.
// An automaton over bytes, whose states may let a slot follow as well. It is a whole output, never a part of one.
struct TextRule {
  ByteDfa dfa;                  // its states are LocalStates; it accepts where the output may end
  std::vector<SlotCall> calls;  // by state; kNoSlot where no slot may follow
  std::vector<char> free;       // by state: outside calls, where tokens without text change nothing
  std::string marks;            // a text: the control tokens that it is made of have their texts here

  LocalState Next(LocalState state, uint8_t byte) const {
    const uint32_t next = dfa.Next(static_cast<uint32_t>(state), byte);
    if (next == ByteDfa::kDead) return kDeadState;
    return dfa.Accepts(next) && !dfa.HasEdges(next) && calls[next].slot == kNoSlot ? kDoneState : LocalState{next};
  }
  bool CallAt(LocalState state, SlotCall& call) const {
    call = calls[state];
    return call.slot != kNoSlot;
  }
};

// How calls stand in a text. Between their parts any white space may stand, a little of it.
struct CallForm {
  struct Mark {
    std::string text;  // not empty: where it is complete, a call has begun
    std::string then;  // must follow it, before the call; may be empty
  };
  struct Call {
    std::vector<std::string> words;  // before the value, none of them empty; none at all where this is the only call
    std::string behind_id;           // not empty: behind the words stand an id of letters and digits, and this
    uint32_t slot = 0;               // of the value
  };
  std::vector<Mark> marks;
  std::vector<Call> calls;  // at least one
  std::string close;        // after each call
  std::string end;          // after the last call, if at all
  // An output that begins with '{' is a call, too, and behind calls of this form there is no text.
  bool bare = false;
  bool bare_list = false;  // a list of calls, to be precise, and one that begins with '[', too
  bool several = true;     // else the output ends with its first call
};

// InvalidArgument for a form without marks that is not bare, ResourceExhausted beyond the budget.
absl::StatusOr<TextRule> MakeTextRule(const CallForm& form, CompileBudget& budget);

}  // namespace enigma::engine
