// From code points to bytes: each state of a PatternDfa becomes states that read the UTF-8 of one character.

#include <array>
#include <optional>
#include <span>
#include <string_view>
#include <utility>

#include <absl/container/flat_hash_map.h>

#include "base/status_macros.h"
#include "engine/text/constraint/byte_dfa.h"
#include "engine/text/constraint/byte_dfa_builder.h"

namespace enigma::engine {
namespace {

using Edges = std::span<const PatternDfa::Edge>;

constexpr uint32_t kNowhere = ByteDfa::kDead;

class Expansion {
 public:
  Expansion(const PatternDfa& dfa, bool quoted, CompileBudget& budget)
      : dfa_(dfa), quoted_(quoted), budget_(budget), builder_(budget) {}

  absl::StatusOr<ByteDfa> Run() {
    const bool built = Build();
    if (!built) return budget_.Exhausted();
    return builder_.Finish();
  }

 private:
  bool Build() {
    uint32_t open = 0;
    if (quoted_ && !builder_.AddState(open)) return false;
    for (size_t i = 0; i < dfa_.states.size(); ++i) {
      if (!builder_.AddState(entry_.emplace_back())) return false;
    }
    if (quoted_) {
      uint32_t close;
      if (!builder_.AddState(close)) return false;
      builder_.SetAccepts(close);
      builder_.AddEdge(open, '"', '"', entry_[0]);
      for (size_t i = 0; i < dfa_.states.size(); ++i) {
        if (dfa_.states[i].accepts) builder_.AddEdge(entry_[i], '"', '"', close);
      }
    }
    for (size_t i = 0; i < dfa_.states.size(); ++i) {
      if (!quoted_ && dfa_.states[i].accepts) builder_.SetAccepts(entry_[i]);
      if (!ExpandState(entry_[i], dfa_.states[i].edges)) return false;
    }
    return true;
  }

  bool ExpandState(uint32_t state, Edges edges) {
    std::array<uint32_t, 128> ascii;
    ascii.fill(kNowhere);
    for (const PatternDfa::Edge& edge : edges) {
      if (!budget_.Spend(1)) return false;
      for (uint32_t c = edge.low; c <= edge.high && c < 128; ++c) ascii[c] = entry_[edge.target];
    }
    const auto plain = [this](uint32_t c) { return !quoted_ || (c >= 0x20 && c != '"' && c != '\\'); };
    for (uint32_t c = 0; c < 128; ++c) {
      if (ascii[c] != kNowhere && plain(c)) {
        builder_.AddEdge(state, static_cast<uint8_t>(c), static_cast<uint8_t>(c), ascii[c]);
      }
    }
    if (quoted_ && !ExpandEscapes(state, ascii)) return false;
    if (edges.empty() || edges.back().high < 0x80) return true;
    return ExpandLeads(state, edges);
  }

  // Characters that must be escaped, each in the one way that EscapeJson writes it.
  bool ExpandEscapes(uint32_t state, const std::array<uint32_t, 128>& ascii) {
    static constexpr std::string_view kCodes = "\"\\\b\f\n\r\t";
    static constexpr std::string_view kLetters = "\"\\bfnrt";
    uint32_t escape = kNowhere;
    for (size_t i = 0; i < kCodes.size(); ++i) {
      const uint32_t target = ascii[static_cast<size_t>(kCodes[i])];
      if (target == kNowhere) continue;
      if (escape == kNowhere && !Child(state, '\\', escape)) return false;
      builder_.AddEdge(escape, static_cast<uint8_t>(kLetters[i]), static_cast<uint8_t>(kLetters[i]), target);
    }
    uint32_t zeros = kNowhere;
    std::array<uint32_t, 2> high = {kNowhere, kNowhere};
    for (uint32_t c = 0; c < 0x20; ++c) {
      if (ascii[c] == kNowhere || kCodes.find(static_cast<char>(c)) != std::string_view::npos) continue;
      if (escape == kNowhere && !Child(state, '\\', escape)) return false;
      if (zeros == kNowhere) {
        uint32_t u, first;
        if (!Child(escape, 'u', u) || !Child(u, '0', first) || !Child(first, '0', zeros)) return false;
      }
      uint32_t& digit = high[c >> 4];
      if (digit == kNowhere && !Child(zeros, static_cast<uint8_t>('0' + (c >> 4)), digit)) return false;
      const auto low = static_cast<uint8_t>("0123456789abcdef"[c & 0xF]);
      builder_.AddEdge(digit, low, low, ascii[c]);
    }
    return true;
  }

  bool Child(uint32_t from, uint8_t byte, uint32_t& child) {
    if (!builder_.AddState(child)) return false;
    builder_.AddEdge(from, byte, byte, child);
    return true;
  }

  bool ExpandLeads(uint32_t state, Edges edges) {
    for (uint32_t lead = 0xC2; lead <= 0xF4; ++lead) {
      const uint32_t tail = lead < 0xE0 ? 1 : lead < 0xF0 ? 2 : 3;
      const uint32_t bits = tail == 1 ? lead & 0x1F : tail == 2 ? lead & 0x0F : lead & 0x07;
      const uint32_t shortest = tail == 1 ? 0x80 : tail == 2 ? 0x800 : 0x10000;
      uint32_t node;
      if (!NodeFor(edges, bits << (6 * tail), tail, shortest, node)) return false;
      if (node != kNowhere) builder_.AddEdge(state, static_cast<uint8_t>(lead), static_cast<uint8_t>(lead), node);
    }
    return true;
  }

  // The state that reads `tail` continuation bytes of the code points from `base` on; those below `shortest` would be
  // overlong.
  bool NodeFor(Edges edges, uint32_t base, uint32_t tail, uint32_t shortest, uint32_t& node) {
    node = kNowhere;
    if (!budget_.Spend(1)) return false;
    const uint32_t last = base + (1U << (6 * tail)) - 1;
    size_t low = 0;
    for (size_t high = edges.size(); low < high;) {
      const size_t middle = (low + high) / 2;
      if (edges[middle].high < base) {
        low = middle + 1;
      } else {
        high = middle;
      }
    }
    if (last < shortest || low == edges.size() || edges[low].low > last) return true;
    if (edges[low].low <= base && edges[low].high >= last && base >= shortest) {
      return TailTo(entry_[edges[low].target], tail, node);
    }
    if (!builder_.AddState(node)) return false;
    const uint32_t step = 1U << (6 * (tail - 1));
    for (uint32_t i = 0; i < 64; ++i) {
      uint32_t child = kNowhere;
      if (tail > 1) {
        if (!NodeFor(edges.subspan(low), base + i * step, tail - 1, shortest, child)) return false;
      } else {
        const uint32_t code = base + i;
        while (low < edges.size() && edges[low].high < code) ++low;
        if (low < edges.size() && edges[low].low <= code && code >= shortest) child = entry_[edges[low].target];
      }
      if (child != kNowhere) {
        builder_.AddEdge(node, static_cast<uint8_t>(0x80 + i), static_cast<uint8_t>(0x80 + i), child);
      }
    }
    return true;
  }

  // The state that reads any `tail` continuation bytes and then is at `target`.
  bool TailTo(uint32_t target, uint32_t tail, uint32_t& node) {
    node = target;
    for (uint32_t i = 1; i <= tail; ++i) {
      const auto [found, added] = tails_.try_emplace({target, i}, 0);
      if (added) {
        uint32_t state;
        if (!builder_.AddState(state)) return false;
        builder_.AddEdge(state, 0x80, 0xBF, node);
        found->second = state;
      }
      node = found->second;
    }
    return true;
  }

  const PatternDfa& dfa_;
  const bool quoted_;
  CompileBudget& budget_;
  ByteDfaBuilder builder_;
  std::vector<uint32_t> entry_;  // of each state of dfa_
  absl::flat_hash_map<std::pair<uint32_t, uint32_t>, uint32_t> tails_;
};

}  // namespace

absl::StatusOr<ByteDfa> ByteDfa::FromPattern(const PatternDfa& dfa, bool quoted, CompileBudget& budget) {
  return Expansion(dfa, quoted, budget).Run();
}

}  // namespace enigma::engine
