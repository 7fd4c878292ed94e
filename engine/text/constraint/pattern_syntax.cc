#include "engine/text/constraint/pattern_syntax.h"

#include <algorithm>
#include <string>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "base/utf8.h"

namespace enigma::engine {
namespace {

using NodePtr = std::unique_ptr<PatternNode>;

constexpr uint32_t kGroupDepthMax = 64;
constexpr uint32_t kRepeatMax = 100'000;  // larger counts are cut off here; the automaton's budget is smaller anyway

NodePtr Make(PatternNode::Kind kind) {
  auto node = std::make_unique<PatternNode>();
  node->kind = kind;
  return node;
}

NodePtr MakeSet(CodePointSet set) {
  NodePtr node = Make(PatternNode::Kind::kSet);
  node->set = std::move(set);
  return node;
}

uint32_t Decode(std::string_view character) {
  const auto at = [character](size_t i) { return static_cast<uint32_t>(static_cast<unsigned char>(character[i])); };
  switch (character.size()) {
    case 1:
      return at(0);
    case 2:
      return (at(0) & 0x1F) << 6 | (at(1) & 0x3F);
    case 3:
      return (at(0) & 0x0F) << 12 | (at(1) & 0x3F) << 6 | (at(2) & 0x3F);
    default:
      return (at(0) & 0x07) << 18 | (at(1) & 0x3F) << 12 | (at(2) & 0x3F) << 6 | (at(3) & 0x3F);
  }
}

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  absl::StatusOr<NodePtr> Parse() {
    if (ValidUtf8Prefix(text_) != text_.size()) return Wrong("it is not valid UTF-8");
    ENIGMA_ASSIGN_OR_RETURN(NodePtr node, Choice(0));
    if (!AtEnd()) return Wrong("there is a ')' too many");
    return node;
  }

 private:
  bool AtEnd() const { return at_ == text_.size(); }
  char Peek() const { return AtEnd() ? '\0' : text_[at_]; }
  bool Take(char c) {
    if (AtEnd() || text_[at_] != c) return false;
    ++at_;
    return true;
  }
  bool Take(std::string_view s) {
    if (!text_.substr(at_).starts_with(s)) return false;
    at_ += s.size();
    return true;
  }
  absl::Status Wrong(std::string_view why) const {
    return absl::InvalidArgumentError(absl::StrCat(
        "the pattern '", absl::Utf8SafeCHexEscape(ToAbsl(text_.substr(0, 80))), "' at byte ", at_, ": ", ToAbsl(why)));
  }
  uint32_t TakeCharacter() {
    const size_t length = ReadUtf8(text_.substr(at_)).length;
    const uint32_t code = Decode(text_.substr(at_, length));
    at_ += length;
    return code;
  }

  absl::StatusOr<NodePtr> Choice(uint32_t depth) {
    NodePtr choice = Make(PatternNode::Kind::kChoice);
    do {
      ENIGMA_ASSIGN_OR_RETURN(NodePtr sequence, Sequence(depth));
      choice->children.push_back(std::move(sequence));
    } while (Take('|'));
    return choice->children.size() == 1 ? std::move(choice->children.front()) : std::move(choice);
  }

  absl::StatusOr<NodePtr> Sequence(uint32_t depth) {
    NodePtr sequence = Make(PatternNode::Kind::kSequence);
    while (!AtEnd() && Peek() != '|' && Peek() != ')') {
      ENIGMA_ASSIGN_OR_RETURN(NodePtr atom, Atom(depth));
      ENIGMA_ASSIGN_OR_RETURN(atom, Repetition(std::move(atom)));
      sequence->children.push_back(std::move(atom));
    }
    return sequence;
  }

  absl::StatusOr<NodePtr> Atom(uint32_t depth) {
    switch (Peek()) {
      case '^':
        ++at_;
        return Make(PatternNode::Kind::kStart);
      case '$':
        ++at_;
        return Make(PatternNode::Kind::kEnd);
      case '.':
        ++at_;
        return MakeSet(CodePointSet::Dot());
      case '[':
        ++at_;
        return Class();
      case '(':
        ++at_;
        return Group(depth);
      case '\\': {
        ++at_;
        ENIGMA_ASSIGN_OR_RETURN(CodePointSet set, Escape(/*in_class=*/false));
        return MakeSet(std::move(set));
      }
      case '*':
      case '+':
      case '?':
        return Wrong("nothing stands before this repetition");
      case '{':
      case '}':
      case ']':
        return Wrong("this bracket must be escaped");
      default: {
        const uint32_t code = TakeCharacter();
        return MakeSet(CodePointSet::Of({{code, code}}));
      }
    }
  }

  absl::StatusOr<NodePtr> Group(uint32_t depth) {
    if (depth >= kGroupDepthMax) return Wrong("groups are nested too deeply");
    if (Take("?")) {
      if (Peek() == '=' || Peek() == '!' || Take("<=") || Take("<!")) return Wrong("lookaround is not supported");
      if (Take("<")) {
        while (!AtEnd() && Peek() != '>') ++at_;
        if (!Take('>')) return Wrong("the group's name has no end");
      } else if (!Take(':')) {
        return Wrong("this kind of group is not supported");
      }
    }
    ENIGMA_ASSIGN_OR_RETURN(NodePtr inside, Choice(depth + 1));
    if (!Take(')')) return Wrong("a ')' is missing");
    return inside;
  }

  absl::StatusOr<NodePtr> Repetition(NodePtr atom) {
    uint32_t min = 0;
    uint32_t max = PatternNode::kUnlimited;
    if (Take('*')) {
    } else if (Take('+')) {
      min = 1;
    } else if (Take('?')) {
      max = 1;
    } else if (Take('{')) {
      ENIGMA_ASSIGN_OR_RETURN(min, Number());
      max = min;
      if (Take(',')) {
        max = PatternNode::kUnlimited;
        if (Peek() != '}') {
          ENIGMA_ASSIGN_OR_RETURN(max, Number());
        }
      }
      if (!Take('}')) return Wrong("a '}' is missing");
      if (max < min) return Wrong("the repetition's limits are the wrong way round");
    } else {
      return atom;
    }
    if (atom->kind == PatternNode::Kind::kStart || atom->kind == PatternNode::Kind::kEnd) {
      return Wrong("an anchor cannot be repeated");
    }
    Take('?');  // lazy: the same language
    NodePtr repeat = Make(PatternNode::Kind::kRepeat);
    repeat->min = min;
    repeat->max = max;
    repeat->children.push_back(std::move(atom));
    return repeat;
  }

  absl::StatusOr<uint32_t> Number() {
    uint32_t number = 0;
    const size_t begin = at_;
    for (; Peek() >= '0' && Peek() <= '9'; ++at_) {
      number = std::min(kRepeatMax, number * 10 + static_cast<uint32_t>(Peek() - '0'));
    }
    if (at_ == begin) return Wrong("a number is missing");
    return number;
  }

  absl::StatusOr<NodePtr> Class() {
    const bool negated = Take('^');
    std::vector<CodePointRange> ranges;
    while (!Take(']')) {
      if (AtEnd()) return Wrong("a ']' is missing");
      ENIGMA_ASSIGN_OR_RETURN(const CodePointSet low, ClassAtom());
      const bool is_range = Peek() == '-' && at_ + 1 < text_.size() && text_[at_ + 1] != ']';
      if (!is_range) {
        ranges.insert(ranges.end(), low.ranges().begin(), low.ranges().end());
        continue;
      }
      ++at_;
      ENIGMA_ASSIGN_OR_RETURN(const CodePointSet high, ClassAtom());
      const auto single = [](const CodePointSet& set) {
        return set.ranges().size() == 1 && set.ranges()[0].low == set.ranges()[0].high;
      };
      if (!single(low) || !single(high)) return Wrong("a range in a class needs a character on both sides");
      if (low.ranges()[0].low > high.ranges()[0].low) return Wrong("a range in a class is the wrong way round");
      ranges.push_back({low.ranges()[0].low, high.ranges()[0].low});
    }
    const CodePointSet set = CodePointSet::Of(std::move(ranges));
    return MakeSet(negated ? set.Complement() : set);
  }

  absl::StatusOr<CodePointSet> ClassAtom() {
    if (AtEnd()) return Wrong("a ']' is missing");
    if (Take('\\')) return Escape(/*in_class=*/true);
    const uint32_t code = TakeCharacter();
    return CodePointSet::Of({{code, code}});
  }

  absl::StatusOr<CodePointSet> Escape(bool in_class) {
    if (AtEnd()) return Wrong("the last backslash escapes nothing");
    const auto one = [](uint32_t code) { return CodePointSet::Of({{code, code}}); };
    switch (const char c = text_[at_++]) {
      case 'd':
        return CodePointSet::Digits();
      case 'D':
        return CodePointSet::Digits().Complement();
      case 'w':
        return CodePointSet::WordCharacters();
      case 'W':
        return CodePointSet::WordCharacters().Complement();
      case 's':
        return CodePointSet::Spaces();
      case 'S':
        return CodePointSet::Spaces().Complement();
      case 'n':
        return one('\n');
      case 'r':
        return one('\r');
      case 't':
        return one('\t');
      case 'f':
        return one('\f');
      case 'v':
        return one('\v');
      case '0':
        return one(0);
      case 'x':
        return Hex(2);
      case 'u':
        return Take('{') ? BracedHex() : Hex(4);
      case 'b':
        if (in_class) return one('\b');
        [[fallthrough]];
      case 'B':
        return Wrong("word boundaries are not supported");
      case 'p':
      case 'P':
        return Wrong("Unicode properties are not supported");
      default:
        if ((c >= '1' && c <= '9') || c == 'k') return Wrong("backreferences are not supported");
        if ((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || static_cast<unsigned char>(c) >= 0x80) {
          return Wrong("this escape is not known");
        }
        return one(static_cast<unsigned char>(c));
    }
  }

  static int Digit(char c) {
    if (c >= '0' && c <= '9') return c - '0';
    if (c >= 'a' && c <= 'f') return c - 'a' + 10;
    if (c >= 'A' && c <= 'F') return c - 'A' + 10;
    return -1;
  }

  absl::StatusOr<uint32_t> HexNumber(int digits) {
    uint32_t code = 0;
    for (int i = 0; i < digits; ++i, ++at_) {
      const int digit = Digit(Peek());
      if (digit < 0) return Wrong("a hexadecimal digit is missing");
      code = code << 4 | static_cast<uint32_t>(digit);
    }
    return code;
  }

  absl::StatusOr<CodePointSet> Hex(int digits) {
    ENIGMA_ASSIGN_OR_RETURN(uint32_t code, HexNumber(digits));
    if (code >= 0xD800 && code <= 0xDBFF && Take("\\u")) {
      ENIGMA_ASSIGN_OR_RETURN(const uint32_t low, HexNumber(4));
      if (low < 0xDC00 || low > 0xDFFF) return Wrong("a surrogate has no partner");
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    return CodePoint(code);
  }

  absl::StatusOr<CodePointSet> BracedHex() {
    uint32_t code = 0;
    for (; Digit(Peek()) >= 0; ++at_) {
      code = code << 4 | static_cast<uint32_t>(Digit(Peek()));
      if (code > CodePointSet::kMax) return Wrong("this is no code point");
    }
    if (!Take('}')) return Wrong("a '}' is missing");
    return CodePoint(code);
  }

  absl::StatusOr<CodePointSet> CodePoint(uint32_t code) const {
    const CodePointSet set = CodePointSet::Of({{code, code}});
    if (set.empty()) return Wrong("a lone surrogate is no character");
    return set;
  }

  const std::string_view text_;
  size_t at_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<PatternNode>> ParsePattern(std::string_view pattern) { return Parser(pattern).Parse(); }

}  // namespace enigma::engine
