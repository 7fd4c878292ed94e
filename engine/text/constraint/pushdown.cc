#include "engine/text/constraint/pushdown.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include <absl/container/flat_hash_map.h>

namespace enigma::engine {

void Pushdown::Emit(uint32_t parent, uint32_t rule, LocalState state, size_t first, Stacks& out) {
  work_ += 1 + (out.size() - first) / 4;
  if (state != kDoneState) {
    // A rule that is reached by two ways in one step counts once.
    for (size_t i = first; i < out.size(); ++i) {
      const Frame& other = frames_[out[i]];
      if (other.parent == parent && other.rule == rule && other.state == state) return;
    }
    if (out.size() - first >= kStacksMax || frames_[parent].depth >= kDepthMax) {
      overflowed_ = true;
      return;
    }
    out.push_back(Push(parent, rule, state));
    return;
  }
  // What is complete leaves the stack, and so does what was only waiting for it.
  while (parent != kOutside && frames_[parent].state == kDoneState) parent = frames_[parent].parent;
  if (std::find(out.begin() + static_cast<ptrdiff_t>(first), out.end(), parent) == out.end()) out.push_back(parent);
}

void Pushdown::Step(uint32_t top, uint8_t byte, size_t first, Stacks& out) {
  while (top != kOutside) {
    ++work_;
    const Frame frame = frames_[top];  // a copy: pushing may move the frames
    const LocalState next = grammar_->Next(frame.rule, frame.state, byte);
    if (next != kDeadState) Emit(frame.parent, frame.rule, next, first, out);
    SlotCall call;
    if (grammar_->CallAt(frame.rule, frame.state, call)) {
      uint32_t caller = kOutside;
      work_ += grammar_->Alternatives(call.slot).size();
      for (const uint32_t rule : grammar_->Alternatives(call.slot)) {
        const LocalState begun = grammar_->Next(rule, grammar_->Start(rule), byte);
        if (begun == kDeadState) continue;
        if (caller == kOutside) caller = Push(frame.parent, frame.rule, call.after);
        Emit(caller, rule, begun, first, out);
      }
    }
    if (!grammar_->MayEnd(frame.rule, frame.state)) return;
    top = frame.parent;
    while (top != kOutside && frames_[top].state == kDoneState) top = frames_[top].parent;
  }
}

bool Pushdown::MayEnd(uint32_t top) const {
  while (top != kOutside) {
    const Frame& frame = frames_[top];
    if (frame.state != kDoneState && !grammar_->MayEnd(frame.rule, frame.state)) return false;
    top = frame.parent;
  }
  return true;
}

void Pushdown::Compact(Stacks& tops) {
  std::vector<Frame> kept(1);
  absl::flat_hash_map<std::tuple<uint32_t, uint32_t, LocalState>, uint32_t> ids;
  absl::flat_hash_map<uint32_t, uint32_t> renamed = {{kOutside, kOutside}};
  Stacks path;
  for (uint32_t& top : tops) {
    path.clear();
    for (uint32_t at = top; !renamed.contains(at); at = frames_[at].parent) path.push_back(at);
    for (size_t i = path.size(); i-- > 0;) {
      Frame frame = frames_[path[i]];
      frame.parent = renamed.at(frame.parent);
      const auto [found, added] =
          ids.try_emplace({frame.parent, frame.rule, frame.state}, static_cast<uint32_t>(kept.size()));
      if (added) kept.push_back(frame);
      renamed[path[i]] = found->second;
    }
    top = renamed.at(top);
  }
  std::sort(tops.begin(), tops.end());
  tops.erase(std::unique(tops.begin(), tops.end()), tops.end());
  frames_ = std::move(kept);
}

bool ByteMatcher::Accept(std::string_view bytes) {
  Pushdown::Stacks tops = tops_;
  Pushdown::Stacks next;
  const size_t frames = pushdown_.size();
  for (const char c : bytes) {
    next.clear();
    for (const uint32_t top : tops) pushdown_.Step(top, static_cast<uint8_t>(c), 0, next);
    tops.swap(next);
    if (tops.empty()) {
      pushdown_.Truncate(frames);
      return false;
    }
  }
  tops_ = std::move(tops);
  pushdown_.Compact(tops_);
  return true;
}

bool ByteMatcher::MayEnd() const {
  return std::any_of(tops_.begin(), tops_.end(), [this](uint32_t top) { return pushdown_.MayEnd(top); });
}

}  // namespace enigma::engine
