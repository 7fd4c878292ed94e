#pragma once

#include <cstdint>
#include <vector>

namespace enigma::engine {

struct CodePointRange {
  uint32_t low;
  uint32_t high;  // included
};

// A set of Unicode scalar values: sorted, disjoint, not touching, never a surrogate.
class CodePointSet {
 public:
  static constexpr uint32_t kMax = 0x10FFFF;

  static CodePointSet All();
  static CodePointSet Of(std::vector<CodePointRange> ranges);
  // ECMA-262: \d, \w, \s, and what "." stands for (everything but line terminators).
  static CodePointSet Digits();
  static CodePointSet WordCharacters();
  static CodePointSet Spaces();
  static CodePointSet Dot();

  CodePointSet Complement() const;
  void Add(const CodePointSet& other);
  const std::vector<CodePointRange>& ranges() const { return ranges_; }
  bool empty() const { return ranges_.empty(); }

 private:
  std::vector<CodePointRange> ranges_;
};

}  // namespace enigma::engine
