#include <algorithm>
#include <string_view>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/text/jinja/characters.h"
#include "engine/text/jinja/string_literal.h"
#include "engine/text/jinja/token.h"

namespace enigma::engine::jinja {

namespace {

bool AsciiDigit(char c) { return c >= '0' && c <= '9'; }
bool NameStart(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || (c & 0x80) != 0; }
bool NamePart(char c) { return NameStart(c) || AsciiDigit(c); }
bool AsciiSpace(char c) { return c == ' ' || (c >= '\t' && c <= '\r'); }

std::string WithUnixNewlines(std::string_view source) {
  std::string text;
  text.reserve(source.size());
  for (size_t i = 0; i < source.size(); ++i) {
    if (source[i] != '\r') {
      text += source[i];
      continue;
    }
    text += '\n';
    if (i + 1 < source.size() && source[i + 1] == '\n') ++i;
  }
  if (!text.empty() && text.back() == '\n') text.pop_back();
  return text;
}

class Lexer {
 public:
  explicit Lexer(std::string_view source) : owned_(WithUnixNewlines(source)), source_(owned_) {}

  absl::StatusOr<std::vector<Token>> Run() {
    while (at_ < source_.size()) {
      const size_t open = FindOpener();
      if (open == std::string_view::npos) {
        EmitText(source_.substr(at_));
        at_ = source_.size();
        break;
      }
      ENIGMA_RETURN_IF_ERROR(Tag(open));
    }
    Emit(Token::Kind::kEnd, "", source_.size());
    return std::move(tokens_);
  }

 private:
  size_t FindOpener() const {
    for (size_t i = source_.find('{', at_); i != std::string_view::npos; i = source_.find('{', i + 1)) {
      if (i + 1 < source_.size() && (source_[i + 1] == '{' || source_[i + 1] == '%' || source_[i + 1] == '#')) return i;
    }
    return std::string_view::npos;
  }

  // Everything from at_ to the end of the tag that begins at `open`.
  absl::Status Tag(size_t open) {
    const char type = source_[open + 1];
    const char mark = MarkAt(open + 2);
    const size_t inside = open + 2 + (mark != 0 ? 1 : 0);
    EmitText(Stripped(source_.substr(at_, open - at_), mark, /*blanks_go=*/type != '{'));
    if (type == '#') return Comment(open, inside);
    if (type == '%') {
      if (const size_t content = RawBegin(inside); content != std::string_view::npos) return Raw(open, content);
    }
    Emit(type == '{' ? Token::Kind::kOutputBegin : Token::Kind::kBlockBegin, "", open);
    at_ = inside;
    return Inside(type == '{');
  }

  char MarkAt(size_t i) const {
    return i < source_.size() && (source_[i] == '-' || source_[i] == '+') ? source_[i] : '\0';
  }

  std::string_view Stripped(std::string_view text, char mark, bool blanks_go) const {
    if (mark == '-') return Strip(text, Side::kRight);
    if (mark == '+' || !blanks_go) return text;
    const size_t newline = text.rfind('\n');
    const size_t line = newline == std::string_view::npos ? 0 : newline + 1;
    if (line == 0 && !line_starts_) return text;
    return Strip(text.substr(line), Side::kLeft).empty() ? text.substr(0, line) : text;
  }

  // Sets at_ behind a tag's end and what it swallows: all white space after `-`, one newline after a block or comment.
  void EndTag(size_t end, char mark, bool newline_goes) {
    at_ = end;
    if (mark == '-') {
      at_ = source_.size() - Strip(source_.substr(end), Side::kLeft).size();
    } else if (mark == 0 && newline_goes && end < source_.size() && source_[end] == '\n') {
      ++at_;
    }
    line_starts_ = source_[at_ - 1] == '\n';
  }

  absl::Status Comment(size_t open, size_t inside) {
    const size_t close = source_.find("#}", inside);
    if (close == std::string_view::npos) return Error(open, "the comment is not closed: #} is missing");
    EndTag(close + 2, close > inside ? MarkAt(close - 1) : '\0', true);
    return absl::OkStatus();
  }

  size_t SkipSpace(size_t i) const {
    while (i < source_.size() && AsciiSpace(source_[i])) ++i;
    return i;
  }

  // Behind the tag `raw` whose inside begins at `i`, with the white space that its `-` takes; npos if it is another
  // tag.
  size_t RawBegin(size_t i) const {
    i = SkipSpace(i);
    if (source_.substr(i, 3) != "raw") return std::string_view::npos;
    i = SkipSpace(i + 3);
    if (source_.substr(i, 3) == "-%}") return source_.size() - Strip(source_.substr(i + 3), Side::kLeft).size();
    return source_.substr(i, 2) == "%}" ? i + 2 : std::string_view::npos;
  }

  absl::Status Raw(size_t open, size_t content) {
    line_starts_ = source_[content - 1] == '\n';
    for (size_t i = source_.find("{%", content); i != std::string_view::npos; i = source_.find("{%", i + 2)) {
      const char mark = MarkAt(i + 2);
      size_t end = SkipSpace(i + 2 + (mark != 0 ? 1 : 0));
      if (source_.substr(end, 6) != "endraw") continue;
      end = SkipSpace(end + 6);
      const char end_mark = MarkAt(end);
      if (end_mark != 0) ++end;
      if (source_.substr(end, 2) != "%}") continue;
      at_ = content;
      EmitText(Stripped(source_.substr(content, i - content), mark, true));
      EndTag(end + 2, end_mark, true);
      return absl::OkStatus();
    }
    return Error(open, "the raw block is not closed: {% endraw %} is missing");
  }

  absl::Status Inside(bool output) {
    const std::string_view close = output ? "}}" : "%}";
    std::string open_brackets;
    while (true) {
      at_ = SkipSpace(at_);
      if (at_ >= source_.size()) {
        return Error(source_.size(), absl::StrCat("the template ends inside a tag: ", ToAbsl(close), " is missing"));
      }
      if (open_brackets.empty()) {
        const char mark = MarkAt(at_);
        // A `+` before }} is an operator; before %} it keeps the newline.
        const bool marked = mark == '-' || (mark == '+' && !output);
        const size_t end = at_ + (marked ? 1 : 0);
        if (source_.substr(end, 2) == close) {
          Emit(output ? Token::Kind::kOutputEnd : Token::Kind::kBlockEnd, "", at_);
          EndTag(end + 2, marked ? mark : '\0', !output);
          return absl::OkStatus();
        }
      }
      ENIGMA_RETURN_IF_ERROR(One(open_brackets));
    }
  }

  absl::Status One(std::string& open_brackets) {
    const size_t start = at_;
    const char c = source_[at_];
    if (AsciiDigit(c)) return Number();
    if (NameStart(c)) {
      while (at_ < source_.size() && NamePart(source_[at_])) ++at_;
      Emit(Token::Kind::kName, source_.substr(start, at_ - start), start);
      return absl::OkStatus();
    }
    if (c == '"' || c == '\'') return StringToken(c);
    for (const std::string_view two : {"//", "**", "==", "!=", ">=", "<="}) {
      if (source_.substr(at_, 2) != two) continue;
      at_ += 2;
      Emit(Token::Kind::kOperator, two, start);
      return absl::OkStatus();
    }
    if (std::string_view("+-/*%~[](){}><=.:|,;").find(c) == std::string_view::npos) {
      return Error(start, absl::StrCat("unexpected character '", std::string(1, c), "'"));
    }
    if (c == '(' || c == '[' || c == '{') open_brackets += c == '(' ? ')' : (c == '[' ? ']' : '}');
    if (c == ')' || c == ']' || c == '}') {
      if (open_brackets.empty() || open_brackets.back() != c) {
        return Error(start, absl::StrCat("'", std::string(1, c), "' closes nothing"));
      }
      open_brackets.pop_back();
    }
    ++at_;
    Emit(Token::Kind::kOperator, source_.substr(start, 1), start);
    return absl::OkStatus();
  }

  void Digits() {
    while (at_ < source_.size() && (AsciiDigit(source_[at_]) || (source_[at_] == '_' && DigitAt(at_ + 1)))) ++at_;
  }
  bool DigitAt(size_t i) const { return i < source_.size() && AsciiDigit(source_[i]); }

  absl::Status Number() {
    const size_t start = at_;
    bool is_float = false;
    const char base = at_ + 1 < source_.size() ? static_cast<char>(source_[at_ + 1] | 0x20) : '\0';
    if (source_[at_] == '0' && (base == 'x' || base == 'o' || base == 'b')) {
      at_ += 2;
      while (at_ < source_.size() && NamePart(source_[at_]) && (source_[at_] & 0x80) == 0) ++at_;
    } else {
      Digits();
      // A dot that follows a dot is a subscript of a subscript: a.1.2.
      const bool after_dot = start > 0 && source_[start - 1] == '.';
      if (!after_dot && at_ < source_.size() && source_[at_] == '.' && DigitAt(at_ + 1)) {
        is_float = true;
        ++at_;
        Digits();
      }
      if (!after_dot && at_ < source_.size() && (source_[at_] | 0x20) == 'e') {
        const size_t sign = at_ + 1 < source_.size() && (source_[at_ + 1] == '+' || source_[at_ + 1] == '-') ? 1 : 0;
        if (DigitAt(at_ + 1 + sign)) {
          is_float = true;
          at_ += 1 + sign;
          Digits();
        }
      }
    }
    std::string digits(source_.substr(start, at_ - start));
    digits.erase(std::remove(digits.begin(), digits.end(), '_'), digits.end());
    Emit(is_float ? Token::Kind::kFloat : Token::Kind::kInteger, digits, start);
    return absl::OkStatus();
  }

  absl::Status StringToken(char quote) {
    const size_t start = at_++;
    while (at_ < source_.size() && source_[at_] != quote) at_ += source_[at_] == '\\' ? 2 : 1;
    if (at_ >= source_.size()) return Error(start, "the string is not closed");
    const auto text = Unescape(source_.substr(start + 1, at_ - start - 1));
    if (!text.ok()) return Error(start, ToString(text.status().message()));
    ++at_;
    Emit(Token::Kind::kString, *text, start);
    return absl::OkStatus();
  }

  void EmitText(std::string_view text) {
    if (!text.empty()) Emit(Token::Kind::kText, text, at_);
  }

  void Emit(Token::Kind kind, std::string_view text, size_t offset) {
    tokens_.push_back({kind, std::string(text), PositionOf(offset)});
  }

  // Offsets are asked for in rising order, so counting goes on from the last.
  Position PositionOf(size_t offset) {
    for (; counted_ < offset; ++counted_) {
      if (source_[counted_] == '\n') {
        ++line_;
        line_offset_ = counted_ + 1;
      }
    }
    return {line_, static_cast<int>(offset - std::min(offset, line_offset_)) + 1};
  }

  absl::Status Error(size_t offset, std::string_view message) {
    const Position at = PositionOf(offset);
    return absl::InvalidArgumentError(
        absl::StrCat("chat template, line ", at.line, ", column ", at.column, ": ", ToAbsl(message)));
  }
  absl::Status Error(size_t offset, const std::string& message) { return Error(offset, std::string_view(message)); }
  absl::Status Error(size_t offset, const char* message) { return Error(offset, std::string_view(message)); }

  const std::string owned_;
  const std::string_view source_;
  size_t at_ = 0;
  bool line_starts_ = true;  // what stands at at_ is the first of its line
  int line_ = 1;
  size_t line_offset_ = 0;
  size_t counted_ = 0;
  std::vector<Token> tokens_;
};

}  // namespace

absl::StatusOr<std::vector<Token>> Tokenize(std::string_view source) { return Lexer(source).Run(); }

}  // namespace enigma::engine::jinja
