#include "engine/text/constraint/object_rule.h"

#include <algorithm>

namespace enigma::engine {
namespace {

// The state: phase (8 bits), gap (8), index of the first property that is not done with (16), and what the phase needs
// to know (32): a node of the key tree, a StringPlace, or the property whose value follows.
enum ObjectPhase : uint32_t {
  kBeforeObject,
  kObjectOpened,
  kInKey,
  kInOtherKey,
  kBeforeColon,
  kBeforeValue,
  kAfterValue,
  kAfterValueComma
};

LocalState PackObject(uint32_t phase, uint32_t gap, uint64_t index, uint64_t detail) {
  return phase | gap << 8 | index << 16 | detail << 32;
}
uint64_t IndexOf(LocalState state) { return state >> 16 & 0xFFFF; }
uint32_t DetailOf(LocalState state) { return static_cast<uint32_t>(state >> 32); }

bool InEscape(StringPlace place) { return place >= StringPlace::kEscape && place <= StringPlace::kLowC; }

}  // namespace

void ObjectRule::Finish() {
  const auto count = static_cast<uint32_t>(properties_.size());
  next_required_.assign(count + 1, count);
  for (uint32_t i = count; i-- > 0;) next_required_[i] = properties_[i].required ? i : next_required_[i + 1];
  nodes_.assign(1, KeyNode{});
  for (uint32_t i = 0; i < count; ++i) {
    uint32_t at = 0;
    const auto pass = [&](uint32_t node) {
      if (properties_[i].possible) nodes_[node].below.push_back(i);
    };
    pass(at);
    for (const char c : properties_[i].key) {
      const auto byte = static_cast<uint8_t>(c);
      auto& children = nodes_[at].children;
      const auto found = std::find_if(children.begin(), children.end(), [byte](auto& e) { return e.first == byte; });
      if (found != children.end()) {
        at = found->second;
      } else {
        const auto child = static_cast<uint32_t>(nodes_.size());
        children.emplace_back(byte, child);
        const StringPlace place = NextPlace(nodes_[at].place, byte);
        nodes_.emplace_back().place = place;
        at = child;
      }
      pass(at);
    }
    nodes_[at].property = i;
  }
}

bool ObjectRule::Reachable(const KeyNode& node, uint64_t index) const {
  const auto first = std::lower_bound(node.below.begin(), node.below.end(), index);
  return first != node.below.end() && *first <= next_required_[index];
}

LocalState ObjectRule::NextInKey(uint64_t index, uint32_t at, uint8_t byte) const {
  const KeyNode& node = nodes_[at];
  const auto behind_key = [&](uint64_t property) { return PackObject(kBeforeColon, kNoGap, index, property); };
  if (byte == '"' && node.place == StringPlace::kCharacter) {
    if (node.property == kNoSlot) return MayHaveOthers(index) ? behind_key(properties_.size()) : kDeadState;
    const uint32_t property = node.property;
    const bool next = properties_[property].possible && property >= index && property <= next_required_[index];
    return next ? behind_key(property) : kDeadState;
  }
  for (const auto& [key_byte, child] : node.children) {
    if (key_byte != byte) continue;
    return Reachable(nodes_[child], index) || MayHaveOthers(index) ? PackObject(kInKey, kNoGap, index, child)
                                                                   : kDeadState;
  }
  // Another name. It is told apart from the properties' by its bytes, so it holds no escape where the tree has none.
  if (!MayHaveOthers(index) || InEscape(node.place) || byte == '\\') return kDeadState;
  const StringPlace place = NextPlace(node.place, byte);
  return place == StringPlace::kBad ? kDeadState : PackObject(kInOtherKey, kNoGap, index, static_cast<uint64_t>(place));
}

LocalState ObjectRule::NextInOtherKey(StringPlace place, uint8_t byte) const {
  const uint64_t count = properties_.size();
  if (place == StringPlace::kCharacter) {
    if (byte == '"') return PackObject(kBeforeColon, kNoGap, count, count);
    if (byte == '\\' && count > 0) return kDeadState;
  }
  const StringPlace next = NextPlace(place, byte);
  return next == StringPlace::kBad ? kDeadState : PackObject(kInOtherKey, kNoGap, count, static_cast<uint64_t>(next));
}

LocalState ObjectRule::Next(LocalState state, uint8_t byte) const {
  const uint32_t phase = PhaseOf(state);
  const uint64_t index = IndexOf(state);
  const uint32_t detail = DetailOf(state);
  switch (phase) {
    case kBeforeObject:
      return byte == '{' ? PackObject(kObjectOpened, kNoGap, 0, 0) : kDeadState;
    case kInKey:
      return NextInKey(index, detail, byte);
    case kInOtherKey:
      return NextInOtherKey(static_cast<StringPlace>(detail), byte);
    case kBeforeColon:
      return byte == ':' ? PackObject(kBeforeValue, kNoGap, index, detail) : kDeadState;
    case kBeforeValue:
      return byte == ' ' && GapOf(state) == kNoGap ? PackObject(phase, kNoGap + 1, index, detail) : kDeadState;
    default:
      break;
  }
  // kObjectOpened, kAfterValue or kAfterValueComma
  if (byte == '"' && phase != kAfterValue) {
    if (!MayHaveMore(index)) return kDeadState;
    if (properties_.empty()) return PackObject(kInOtherKey, kNoGap, 0, static_cast<uint64_t>(StringPlace::kCharacter));
    return PackObject(kInKey, kNoGap, index, 0);
  }
  const bool may_close = phase != kAfterValueComma && MayClose(index);
  if (byte == '}') return may_close ? kDoneState : kDeadState;
  if (byte == ',' && phase == kAfterValue) {
    return GapOf(state) == kNoGap && MayHaveMore(index) ? PackObject(kAfterValueComma, kNoGap, index, 0) : kDeadState;
  }
  if (phase == kAfterValue && !may_close) return kDeadState;
  const uint32_t gap = NextGap(GapOf(state), byte);
  return gap == kBadGap ? kDeadState : PackObject(phase, gap, index, 0);
}

bool ObjectRule::CallAt(LocalState state, SlotCall& call) const {
  if (PhaseOf(state) != kBeforeValue) return false;
  const uint32_t property = DetailOf(state);
  const bool known = property < properties_.size();
  call.slot = known ? properties_[property].slot : additional_;
  call.after = PackObject(kAfterValue, kNoGap, known ? property + 1 : properties_.size(), 0);
  return true;
}

uint32_t ObjectRule::FreeCharacters(LocalState state) const {
  const bool free =
      PhaseOf(state) == kInOtherKey && static_cast<StringPlace>(DetailOf(state)) == StringPlace::kCharacter;
  return free ? StringRule::kUnlimited : 0;
}

}  // namespace enigma::engine
