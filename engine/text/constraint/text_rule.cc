#include "engine/text/constraint/text_rule.h"

#include <map>
#include <string_view>
#include <utility>

#include <absl/status/status.h>

#include "engine/text/constraint/byte_dfa_builder.h"
#include "engine/text/constraint/mark_automaton.h"

namespace enigma::engine {
namespace {

constexpr size_t kGapBytesMax = 16;  // of white space in one place, so that nobody loops in it
constexpr size_t kIdBytesMax = 40;
constexpr size_t kMarkBytesMax = 4096;  // of all together
constexpr std::string_view kSpaces = " \t\r\n";
constexpr std::string_view kIdBytes = "-0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz";
constexpr uint32_t kNoState = ~0U;

// States that the same may follow.
using Places = std::vector<uint32_t>;

bool IsSpace(uint8_t byte) { return kSpaces.find(static_cast<char>(byte)) != std::string_view::npos; }

std::vector<std::string> MarksOf(const CallForm& form) {
  std::vector<std::string> marks;
  for (const CallForm::Mark& mark : form.marks) marks.push_back(mark.text);
  return marks;
}

// Used once. That the budget is used up is told at the end; what is built until then is bounded by the form.
class TextRuleBuilder {
 public:
  TextRuleBuilder(const CallForm& form, CompileBudget& budget)
      : form_(form), budget_(budget), automaton_(MarksOf(form)), builder_(budget) {}

  absl::StatusOr<TextRule> Run() {
    if (!budget_.Spend(automaton_.size() * 256)) return budget_.Exhausted();
    const uint32_t start = AddState();
    if (form_.bare) SetFree(start);
    for (size_t node = 0; node < automaton_.size(); ++node) {
      const bool text = automaton_.Complete(node) == MarkAutomaton::kNone;
      const bool begins = node == 0 && !form_.bare;
      text_.push_back(begins ? start : text ? AddState() : kNoState);
      if (text) SetFree(text_.back());
    }
    const uint32_t outside = form_.several && !form_.bare ? text_.front() : AddState();
    const uint32_t after = form_.close.empty() ? outside : AddState();
    if (after != outside) Lead(Gap(after), form_.close, outside);
    if (outside != text_.front()) AddEnding(outside, after);

    const uint32_t body = AddState();
    AddBody(body, after);
    AddMarks(body);
    if (form_.bare) AddBareStart(start, after);
    if (exhausted_) return budget_.Exhausted();
    rule_.dfa = builder_.Finish();
    return std::move(rule_);
  }

 private:
  uint32_t AddState() {
    uint32_t state;
    if (!builder_.AddState(state)) exhausted_ = true;
    rule_.calls.push_back({.slot = kNoSlot, .after = kDeadState});
    rule_.free.push_back(0);
    return state;
  }
  void AddEdge(uint32_t from, char byte, uint32_t to) {
    builder_.AddEdge(from, static_cast<uint8_t>(byte), static_cast<uint8_t>(byte), to);
  }
  void SetFree(uint32_t state) {
    rule_.free[state] = 1;
    builder_.SetAccepts(state);
  }
  void Call(const Places& places, uint32_t slot, uint32_t after) {
    for (const uint32_t place : places) rule_.calls[place] = {.slot = slot, .after = after};
  }

  // `from`, and where white space leads to from there.
  Places Gap(uint32_t from) {
    Places places = {from};
    for (size_t i = 0; i < kGapBytesMax && !exhausted_; ++i) {
      const uint32_t next = AddState();
      for (const char c : kSpaces) AddEdge(places.back(), c, next);
      places.push_back(next);
    }
    return places;
  }

  // Where `text`, not empty, leads to from all of `places`, which are always named together. Texts with a common
  // beginning share its states.
  uint32_t Text(Places places, std::string_view text) {
    for (const char c : text) {
      const auto [found, added] = steps_.try_emplace({places.front(), c}, 0);
      if (added) {
        found->second = AddState();
        for (const uint32_t place : places) AddEdge(place, c, found->second);
      }
      places = {found->second};
    }
    return places.front();
  }

  // Makes `text`, not empty, lead from `places` to `target`.
  void Lead(Places places, std::string_view text, uint32_t target) {
    if (text.size() > 1) places = {Text(places, text.substr(0, text.size() - 1))};
    for (const uint32_t place : places) AddEdge(place, text.back(), target);
  }

  // From behind a call's marks to its end.
  void AddBody(uint32_t body, uint32_t after) {
    const Places begin = Gap(body);
    for (const CallForm::Call& call : form_.calls) {
      if (exhausted_) return;
      Places places = begin;
      uint32_t behind = body;
      for (size_t i = 0; i < call.words.size() && !exhausted_; ++i) {
        behind = Text(places, call.words[i]);
        if (i + 1 < call.words.size() || call.behind_id.empty()) places = Gap(behind);
      }
      if (!call.behind_id.empty()) places = Gap(Text(Ids(behind), call.behind_id));
      Call(places, call.slot, after);
    }
  }

  // Where an id behind `from` may end.
  Places Ids(uint32_t from) {
    Places ids;
    for (size_t i = 0; i < kIdBytesMax; ++i) {
      const uint32_t next = AddState();
      for (const char c : kIdBytes) AddEdge(i == 0 ? from : ids.back(), c, next);
      ids.push_back(next);
    }
    return ids;
  }

  // What follows calls behind which there is no text: the end, or more of them as models write them in a row.
  void AddEnding(uint32_t outside, uint32_t after) {
    const Places gap = Gap(outside);
    for (const uint32_t place : gap) builder_.SetAccepts(place);
    if (!form_.end.empty()) builder_.SetAccepts(Text(gap, form_.end));
    if (!form_.several) return;
    Call(gap, form_.calls.front().slot, after);
    const uint32_t separated = AddState();
    for (const uint32_t place : gap) {
      AddEdge(place, ',', separated);
      AddEdge(place, ';', separated);
    }
    Call(Gap(separated), form_.calls.front().slot, after);
  }

  void AddMarks(uint32_t body) {
    for (const CallForm::Mark& mark : form_.marks) {
      const uint32_t behind = mark.then.empty() ? body : AddState();
      if (behind != body) Lead(Gap(behind), mark.then, body);
      behind_mark_.push_back(behind);
    }
    for (size_t node = 0; node < automaton_.size(); ++node) {
      if (text_[node] != kNoState) GoOnAs(node, text_[node], [](uint8_t) { return false; });
    }
  }

  // Makes `state` go on as a text that ends as `node` says, but with bytes that are treated `otherwise`.
  template <typename Otherwise>
  void GoOnAs(size_t node, uint32_t state, const Otherwise& otherwise) {
    for (size_t i = 0; i < 256; ++i) {
      const auto byte = static_cast<uint8_t>(i);
      if (otherwise(byte)) continue;
      const size_t next = automaton_.Next(node, byte);
      const size_t mark = automaton_.Complete(next);
      builder_.AddEdge(state, byte, byte, mark == MarkAutomaton::kNone ? text_[next] : behind_mark_[mark]);
    }
  }

  // `start`: nothing but white space has been said so far.
  void AddBareStart(uint32_t start, uint32_t after) {
    for (const char c : kSpaces) AddEdge(start, c, start);
    Call({start}, form_.calls.front().slot, after);
    GoOnAs(0, start, [](uint8_t byte) { return IsSpace(byte) || byte == '{' || byte == '['; });
    if (form_.bare_list) return;
    // "[{" is read as a list of calls, which is not this form: '[' begins a text, but no such list.
    const uint32_t bracket = AddState();
    const uint32_t spaces = AddState();
    AddEdge(start, '[', bracket);
    for (const uint32_t state : {bracket, spaces}) {
      SetFree(state);
      for (const char c : kSpaces) AddEdge(state, c, spaces);
      GoOnAs(state == bracket ? automaton_.Next(0, '[') : 0, state,
             [](uint8_t byte) { return IsSpace(byte) || byte == '{'; });
    }
  }

  const CallForm& form_;
  CompileBudget& budget_;
  const MarkAutomaton automaton_;
  ByteDfaBuilder builder_;
  TextRule rule_;
  bool exhausted_ = false;
  std::vector<uint32_t> text_;                           // by node of the automaton; kNoState where a mark is complete
  std::vector<uint32_t> behind_mark_;                    // by mark
  std::map<std::pair<uint32_t, char>, uint32_t> steps_;  // of Text()
};

}  // namespace

absl::StatusOr<TextRule> MakeTextRule(const CallForm& form, CompileBudget& budget) {
  if (form.calls.empty() || (form.marks.empty() && !form.bare)) {
    return absl::InvalidArgumentError("$calls: there is no call, or nothing that one begins with");
  }
  const bool bare_value = form.calls.front().words.empty();
  for (const CallForm::Call& call : form.calls) {
    if (call.words.empty() != bare_value || (bare_value && form.calls.size() > 1)) {
      return absl::InvalidArgumentError("$calls: there is one call without words before its value, or some with words");
    }
  }
  if (form.bare && !bare_value) return absl::InvalidArgumentError("$calls: no words stand before a bare call");
  size_t bytes = form.close.size() + form.end.size();
  for (const CallForm::Mark& mark : form.marks) bytes += mark.text.size() + mark.then.size();
  if (bytes > kMarkBytesMax) return budget.Exhausted();
  return TextRuleBuilder(form, budget).Run();
}

}  // namespace enigma::engine
