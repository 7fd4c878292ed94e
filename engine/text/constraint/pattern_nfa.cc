#include "engine/text/constraint/pattern_nfa.h"

#include <absl/container/flat_hash_map.h>

#include "base/status_macros.h"

namespace enigma::engine {
namespace {

using State = PatternNfa::State;

// Builds backwards: each call is given the state that follows and returns the one to enter by.
class Builder {
 public:
  Builder(PatternNfa& nfa, CompileBudget& budget) : nfa_(nfa), budget_(budget) {}

  absl::StatusOr<uint32_t> Add(State state) {
    if (!budget_.TakeStates(1)) return budget_.Exhausted();
    nfa_.states.push_back(state);
    return static_cast<uint32_t>(nfa_.states.size() - 1);
  }

  absl::StatusOr<uint32_t> Build(const PatternNode& node, uint32_t next) {
    switch (node.kind) {
      case PatternNode::Kind::kEmpty:
        return next;
      case PatternNode::Kind::kSet:
        return Add({.kind = State::Kind::kSet, .set = SetOf(node), .next = next});
      case PatternNode::Kind::kStart:
        return Add({.kind = State::Kind::kStart, .next = next});
      case PatternNode::Kind::kEnd:
        return Add({.kind = State::Kind::kEnd, .next = next});
      case PatternNode::Kind::kSequence:
        for (size_t i = node.children.size(); i-- > 0;) {
          ENIGMA_ASSIGN_OR_RETURN(next, Build(*node.children[i], next));
        }
        return next;
      case PatternNode::Kind::kChoice: {
        uint32_t entry = State::kNone;
        for (size_t i = node.children.size(); i-- > 0;) {
          ENIGMA_ASSIGN_OR_RETURN(const uint32_t branch, Build(*node.children[i], next));
          if (entry == State::kNone) {
            entry = branch;
          } else {
            ENIGMA_ASSIGN_OR_RETURN(entry, Add({.kind = State::Kind::kSplit, .next = branch, .other = entry}));
          }
        }
        return entry;
      }
      case PatternNode::Kind::kRepeat:
        return Repeat(node, next);
    }
    return next;
  }

 private:
  absl::StatusOr<uint32_t> Repeat(const PatternNode& node, uint32_t next) {
    const PatternNode& child = *node.children.front();
    uint32_t entry = next;
    if (node.max == PatternNode::kUnlimited) {
      ENIGMA_ASSIGN_OR_RETURN(entry, Add({.kind = State::Kind::kSplit, .other = next}));
      ENIGMA_ASSIGN_OR_RETURN(const uint32_t body, Build(child, entry));
      nfa_.states[entry].next = body;
    } else {
      for (uint32_t i = node.min; i < node.max; ++i) {
        if (!budget_.Spend(1)) return budget_.Exhausted();  // a child may be empty
        ENIGMA_ASSIGN_OR_RETURN(const uint32_t body, Build(child, entry));
        ENIGMA_ASSIGN_OR_RETURN(entry, Add({.kind = State::Kind::kSplit, .next = body, .other = next}));
      }
    }
    for (uint32_t i = 0; i < node.min; ++i) {
      if (!budget_.Spend(1)) return budget_.Exhausted();
      ENIGMA_ASSIGN_OR_RETURN(entry, Build(child, entry));
    }
    return entry;
  }

  // Copies of a repeated child share their set.
  uint32_t SetOf(const PatternNode& node) {
    const auto [found, added] = sets_.try_emplace(&node, static_cast<uint32_t>(nfa_.sets.size()));
    if (added) nfa_.sets.push_back(node.set);
    return found->second;
  }

  PatternNfa& nfa_;
  CompileBudget& budget_;
  absl::flat_hash_map<const PatternNode*, uint32_t> sets_;
};

}  // namespace

absl::StatusOr<PatternNfa> BuildPatternNfa(const PatternNode& pattern, CompileBudget& budget) {
  PatternNfa nfa;
  nfa.sets.push_back(CodePointSet::All());
  nfa.states = {{.kind = State::Kind::kSplit}, {.kind = State::Kind::kSet, .set = 0, .next = 0}};
  nfa.states[0].other = 1;
  // Behind the pattern: anything, then the match; an anchored end leads to the match alone, through kEnd.
  nfa.states.push_back({.kind = State::Kind::kMatch});                         // 2
  nfa.states.push_back({.kind = State::Kind::kSplit, .next = 2, .other = 4});  // 3
  nfa.states.push_back({.kind = State::Kind::kSet, .set = 0, .next = 3});      // 4
  Builder builder(nfa, budget);
  ENIGMA_ASSIGN_OR_RETURN(const uint32_t entry, builder.Build(pattern, 3));
  nfa.states[0].next = entry;
  return nfa;
}

}  // namespace enigma::engine
