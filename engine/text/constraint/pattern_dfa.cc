#include "engine/text/constraint/pattern_dfa.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <absl/container/flat_hash_map.h>

#include "base/status_macros.h"
#include "engine/text/constraint/pattern_nfa.h"
#include "engine/text/constraint/pattern_syntax.h"

namespace enigma::engine {
namespace {

using NfaState = PatternNfa::State;

// Subset construction over the classes of code points that the pattern's sets tell apart.
class Determiniser {
 public:
  Determiniser(const PatternNfa& nfa, CompileBudget& budget) : nfa_(nfa), budget_(budget) {}

  absl::StatusOr<PatternDfa> Run() {
    if (!CutAlphabet()) return budget_.Exhausted();
    mark_.assign(nfa_.states.size(), 0);
    ENIGMA_RETURN_IF_ERROR(Intern({0}, /*at_start=*/true).status());
    for (size_t i = 0; i < members_.size(); ++i) ENIGMA_RETURN_IF_ERROR(Expand(i));
    return std::move(dfa_);
  }

 private:
  using Set = std::vector<uint32_t>;

  bool CutAlphabet() {
    lows_ = {0};
    for (const CodePointSet& set : nfa_.sets) {
      for (const CodePointRange& range : set.ranges()) {
        lows_.push_back(range.low);
        if (range.high < CodePointSet::kMax) lows_.push_back(range.high + 1);
      }
    }
    std::sort(lows_.begin(), lows_.end());
    lows_.erase(std::unique(lows_.begin(), lows_.end()), lows_.end());
    for (const CodePointSet& set : nfa_.sets) {
      std::vector<uint32_t>& classes = classes_.emplace_back();
      for (const CodePointRange& range : set.ranges()) {
        auto at = std::lower_bound(lows_.begin(), lows_.end(), range.low);
        for (; at != lows_.end() && *at <= range.high; ++at) {
          classes.push_back(static_cast<uint32_t>(at - lows_.begin()));
        }
      }
      if (!budget_.Spend(classes.size())) return false;
    }
    return true;
  }

  // Follows what needs no character. `set` comes back sorted, with the states that consume one and kMatch and kEnd.
  bool Close(Set& set, bool at_start, bool at_end) {
    ++round_;
    Set open = std::move(set);
    set.clear();
    while (!open.empty()) {
      const uint32_t at = open.back();
      open.pop_back();
      if (at == NfaState::kNone || mark_[at] == round_) continue;
      mark_[at] = round_;
      if (!budget_.Spend(1)) return false;
      const NfaState& state = nfa_.states[at];
      switch (state.kind) {
        case NfaState::Kind::kSplit:
          open.push_back(state.next);
          open.push_back(state.other);
          break;
        case NfaState::Kind::kStart:
          if (at_start) open.push_back(state.next);
          break;
        case NfaState::Kind::kEnd:
          set.push_back(at);
          if (at_end) open.push_back(state.next);
          break;
        case NfaState::Kind::kSet:
        case NfaState::Kind::kMatch:
          set.push_back(at);
          break;
      }
    }
    std::sort(set.begin(), set.end());
    return true;
  }

  absl::StatusOr<uint32_t> Intern(Set set, bool at_start) {
    if (!Close(set, at_start, /*at_end=*/false)) return budget_.Exhausted();
    // Beginnings are told apart: only there does ^ hold behind $ again.
    const auto [found, added] = ids_.try_emplace({set, at_start}, static_cast<uint32_t>(dfa_.states.size()));
    if (!added) return found->second;
    const uint32_t id = found->second;
    if (!budget_.TakeStates(1)) return budget_.Exhausted();
    Set at_end = set;
    if (!Close(at_end, at_start, /*at_end=*/true)) return budget_.Exhausted();
    PatternDfa::State& state = dfa_.states.emplace_back();
    state.accepts = std::any_of(at_end.begin(), at_end.end(),
                                [this](uint32_t at) { return nfa_.states[at].kind == NfaState::Kind::kMatch; });
    members_.push_back(std::move(set));
    return id;
  }

  absl::Status Expand(size_t id) {
    std::vector<Set> targets(lows_.size());
    uint64_t work = lows_.size();
    for (const uint32_t at : members_[id]) {
      const NfaState& state = nfa_.states[at];
      if (state.kind != NfaState::Kind::kSet) continue;
      for (const uint32_t c : classes_[state.set]) targets[c].push_back(state.next);
      work += classes_[state.set].size();
    }
    if (!budget_.Spend(work)) return budget_.Exhausted();
    std::vector<PatternDfa::Edge> edges;
    for (size_t c = 0; c < targets.size(); ++c) {
      if (targets[c].empty()) continue;
      const uint32_t high = c + 1 < lows_.size() ? lows_[c + 1] - 1 : CodePointSet::kMax;
      // Neighbouring classes often lead to the same place.
      if (c > 0 && targets[c] == targets[c - 1] && !edges.empty()) {
        edges.back().high = high;
        continue;
      }
      ENIGMA_ASSIGN_OR_RETURN(const uint32_t target, Intern(targets[c], /*at_start=*/false));
      edges.push_back({lows_[c], high, target});
    }
    dfa_.states[id].edges = std::move(edges);
    return absl::OkStatus();
  }

  const PatternNfa& nfa_;
  CompileBudget& budget_;
  std::vector<uint32_t> lows_;                  // first code point of each class
  std::vector<std::vector<uint32_t>> classes_;  // by set
  std::vector<uint32_t> mark_;
  uint32_t round_ = 0;
  absl::flat_hash_map<std::pair<Set, bool>, uint32_t> ids_;
  std::vector<Set> members_;
  PatternDfa dfa_;
};

// Drops states that lead to no accepting one, renumbers the rest and joins edges.
bool Trim(PatternDfa& dfa, CompileBudget& budget) {
  const size_t count = dfa.states.size();
  std::vector<std::vector<uint32_t>> sources(count);
  std::vector<uint32_t> open;
  std::vector<char> alive(count, 0);
  for (size_t i = 0; i < count; ++i) {
    if (!budget.Spend(1 + dfa.states[i].edges.size())) return false;
    for (const PatternDfa::Edge& edge : dfa.states[i].edges) sources[edge.target].push_back(static_cast<uint32_t>(i));
    if (dfa.states[i].accepts) {
      alive[i] = 1;
      open.push_back(static_cast<uint32_t>(i));
    }
  }
  while (!open.empty()) {
    const uint32_t at = open.back();
    open.pop_back();
    for (const uint32_t source : sources[at]) {
      if (std::exchange(alive[source], 1) == 0) open.push_back(source);
    }
  }
  PatternDfa trimmed;
  if (count > 0 && alive[0] != 0) {
    std::vector<uint32_t> renumbered(count, 0);
    uint32_t next = 0;
    for (size_t i = 0; i < count; ++i) {
      if (alive[i] != 0) renumbered[i] = next++;
    }
    for (size_t i = 0; i < count; ++i) {
      if (alive[i] == 0) continue;
      PatternDfa::State& state = trimmed.states.emplace_back();
      state.accepts = dfa.states[i].accepts;
      for (const PatternDfa::Edge& edge : dfa.states[i].edges) {
        if (alive[edge.target] == 0) continue;
        const uint32_t target = renumbered[edge.target];
        if (!state.edges.empty() && state.edges.back().target == target && state.edges.back().high + 1 == edge.low) {
          state.edges.back().high = edge.high;
        } else {
          state.edges.push_back({edge.low, edge.high, target});
        }
      }
    }
  }
  dfa = std::move(trimmed);
  return true;
}

}  // namespace

absl::StatusOr<PatternDfa> CompilePattern(std::string_view pattern, CompileBudget& budget) {
  if (!budget.Spend(pattern.size())) return budget.Exhausted();
  ENIGMA_ASSIGN_OR_RETURN(const std::unique_ptr<PatternNode> parsed, ParsePattern(pattern));
  ENIGMA_ASSIGN_OR_RETURN(const PatternNfa nfa, BuildPatternNfa(*parsed, budget));
  ENIGMA_ASSIGN_OR_RETURN(PatternDfa dfa, Determiniser(nfa, budget).Run());
  if (!Trim(dfa, budget)) return budget.Exhausted();
  return dfa;
}

absl::StatusOr<PatternDfa> Intersect(const PatternDfa& a, const PatternDfa& b, CompileBudget& budget) {
  PatternDfa both;
  if (a.empty() || b.empty()) return both;
  absl::flat_hash_map<std::pair<uint32_t, uint32_t>, uint32_t> ids;
  std::vector<std::pair<uint32_t, uint32_t>> pairs;
  const auto intern = [&](uint32_t x, uint32_t y) -> std::optional<uint32_t> {
    const auto [found, added] = ids.try_emplace({x, y}, static_cast<uint32_t>(pairs.size()));
    if (added) {
      if (!budget.TakeStates(1)) return std::nullopt;
      pairs.emplace_back(x, y);
      both.states.emplace_back().accepts = a.states[x].accepts && b.states[y].accepts;
    }
    return found->second;
  };
  if (!intern(0, 0)) return budget.Exhausted();
  for (size_t i = 0; i < pairs.size(); ++i) {
    const auto [x, y] = pairs[i];
    const std::vector<PatternDfa::Edge>& left = a.states[x].edges;
    const std::vector<PatternDfa::Edge>& right = b.states[y].edges;
    for (size_t l = 0, r = 0; l < left.size() && r < right.size();) {
      if (!budget.Spend(1)) return budget.Exhausted();
      const uint32_t low = std::max(left[l].low, right[r].low);
      const uint32_t high = std::min(left[l].high, right[r].high);
      if (low <= high) {
        const std::optional<uint32_t> target = intern(left[l].target, right[r].target);
        if (!target) return budget.Exhausted();
        both.states[i].edges.push_back({low, high, *target});
      }
      const bool left_first = left[l].high < right[r].high;
      (left_first ? l : r) += 1;
    }
  }
  if (!Trim(both, budget)) return budget.Exhausted();
  return both;
}

}  // namespace enigma::engine
