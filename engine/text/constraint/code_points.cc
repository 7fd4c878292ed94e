#include "engine/text/constraint/code_points.h"

#include <algorithm>
#include <utility>

namespace enigma::engine {
namespace {

constexpr uint32_t kSurrogatesLow = 0xD800;
constexpr uint32_t kSurrogatesHigh = 0xDFFF;

}  // namespace

CodePointSet CodePointSet::Of(std::vector<CodePointRange> ranges) {
  std::vector<CodePointRange> split;
  for (const CodePointRange& range : ranges) {
    if (range.low < kSurrogatesLow) split.push_back({range.low, std::min(range.high, kSurrogatesLow - 1)});
    if (range.high > kSurrogatesHigh) {
      split.push_back({std::max(range.low, kSurrogatesHigh + 1), std::min(range.high, kMax)});
    }
  }
  std::sort(split.begin(), split.end(), [](const auto& a, const auto& b) { return a.low < b.low; });
  CodePointSet set;
  for (const CodePointRange& range : split) {
    if (!set.ranges_.empty() && range.low <= set.ranges_.back().high + 1) {
      set.ranges_.back().high = std::max(set.ranges_.back().high, range.high);
    } else {
      set.ranges_.push_back(range);
    }
  }
  return set;
}

CodePointSet CodePointSet::All() { return Of({{0, kMax}}); }

CodePointSet CodePointSet::Digits() { return Of({{'0', '9'}}); }

CodePointSet CodePointSet::WordCharacters() { return Of({{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}); }

CodePointSet CodePointSet::Spaces() {
  return Of({{0x09, 0x0D},
             {0x20, 0x20},
             {0xA0, 0xA0},
             {0x1680, 0x1680},
             {0x2000, 0x200A},
             {0x2028, 0x2029},
             {0x202F, 0x202F},
             {0x205F, 0x205F},
             {0x3000, 0x3000},
             {0xFEFF, 0xFEFF}});
}

CodePointSet CodePointSet::Dot() { return Of({{0x0A, 0x0A}, {0x0D, 0x0D}, {0x2028, 0x2029}}).Complement(); }

CodePointSet CodePointSet::Complement() const {
  std::vector<CodePointRange> rest;
  uint32_t next = 0;
  for (const CodePointRange& range : ranges_) {
    if (range.low > next) rest.push_back({next, range.low - 1});
    next = range.high + 1;
  }
  if (next <= kMax) rest.push_back({next, kMax});
  return Of(std::move(rest));
}

void CodePointSet::Add(const CodePointSet& other) {
  std::vector<CodePointRange> all = std::move(ranges_);
  all.insert(all.end(), other.ranges_.begin(), other.ranges_.end());
  *this = Of(std::move(all));
}

}  // namespace enigma::engine
