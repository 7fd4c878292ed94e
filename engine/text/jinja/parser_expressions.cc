#include <charconv>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/text/jinja/parser.h"

namespace enigma::engine::jinja {

template <typename... Children>
absl::StatusOr<ExprPtr> Parser::Node(ExprKind kind, Position at, std::string name, Children... children) const {
  auto expr = std::make_unique<Expr>();
  expr->kind = kind;
  expr->at = at;
  expr->name = std::move(name);
  (expr->children.push_back(std::move(children)), ...);
  return Finish(std::move(expr));
}

absl::StatusOr<ExprPtr> Parser::Finish(ExprPtr expr) const {
  int height = 0;
  for (const ExprPtr& child : expr->children) {
    if (child != nullptr) height = std::max(height, child->height);
  }
  for (const Argument& argument : expr->arguments) height = std::max(height, argument.value->height);
  expr->height = height + 1;
  if (expr->height > kHeightMax) return Error(expr->at, "the expression is too long; use {% set %} for parts of it");
  return expr;
}

absl::StatusOr<ExprPtr> Parser::ParseExpression(bool with_ternary) {
  const Nested nested(*this);
  if (nested.TooDeep()) return nested.Error();
  return with_ternary ? ParseTernary() : ParseOr();
}

absl::StatusOr<ExprPtr> Parser::ParseTuple(bool with_ternary) {
  const Position at = current().at;
  ENIGMA_ASSIGN_OR_RETURN(ExprPtr first, ParseExpression(with_ternary));
  if (!IsOperator(",")) return first;
  auto tuple = std::make_unique<Expr>();
  tuple->kind = ExprKind::kTuple;
  tuple->at = at;
  tuple->children.push_back(std::move(first));
  while (SkipOperator(",")) {
    const Token::Kind kind = current().kind;
    if (kind == Token::Kind::kOutputEnd || kind == Token::Kind::kBlockEnd || IsOperator(")") || IsOperator("]") ||
        IsOperator("=")) {
      break;
    }
    ENIGMA_ASSIGN_OR_RETURN(ExprPtr next, ParseExpression(with_ternary));
    tuple->children.push_back(std::move(next));
  }
  return Finish(std::move(tuple));
}

absl::StatusOr<ExprPtr> Parser::ParseTernary() {
  ENIGMA_ASSIGN_OR_RETURN(ExprPtr value, ParseOr());
  while (IsName("if")) {
    const Position at = Take().at;
    ENIGMA_ASSIGN_OR_RETURN(ExprPtr condition, ParseOr());
    ExprPtr otherwise;
    if (SkipName("else")) {
      ENIGMA_ASSIGN_OR_RETURN(otherwise, ParseExpression());
    }
    ENIGMA_ASSIGN_OR_RETURN(
        value, Node(ExprKind::kTernary, at, "if", std::move(value), std::move(condition), std::move(otherwise)));
  }
  return value;
}

absl::StatusOr<ExprPtr> Parser::ParseOr() {
  ENIGMA_ASSIGN_OR_RETURN(ExprPtr left, ParseAnd());
  while (IsName("or")) {
    const Position at = Take().at;
    ENIGMA_ASSIGN_OR_RETURN(ExprPtr right, ParseAnd());
    ENIGMA_ASSIGN_OR_RETURN(left, Node(ExprKind::kOr, at, "or", std::move(left), std::move(right)));
  }
  return left;
}

absl::StatusOr<ExprPtr> Parser::ParseAnd() {
  ENIGMA_ASSIGN_OR_RETURN(ExprPtr left, ParseNot());
  while (IsName("and")) {
    const Position at = Take().at;
    ENIGMA_ASSIGN_OR_RETURN(ExprPtr right, ParseNot());
    ENIGMA_ASSIGN_OR_RETURN(left, Node(ExprKind::kAnd, at, "and", std::move(left), std::move(right)));
  }
  return left;
}

absl::StatusOr<ExprPtr> Parser::ParseNot() {
  if (!IsName("not")) return ParseCompare();
  const Nested nested(*this);
  if (nested.TooDeep()) return nested.Error();
  const Position at = Take().at;
  ENIGMA_ASSIGN_OR_RETURN(ExprPtr operand, ParseNot());
  return Node(ExprKind::kNot, at, "not", std::move(operand));
}

absl::StatusOr<ExprPtr> Parser::ParseCompare() {
  const Position at = current().at;
  ENIGMA_ASSIGN_OR_RETURN(ExprPtr first, ParseSum());
  auto chain = std::make_unique<Expr>();
  chain->kind = ExprKind::kCompare;
  chain->at = at;
  chain->children.push_back(std::move(first));
  while (true) {
    std::string operation;
    if (current().kind == Token::Kind::kOperator) {
      for (const std::string_view candidate : {"==", "!=", "<", "<=", ">", ">="}) {
        if (current().text == candidate) operation = candidate;
      }
    } else if (IsName("in")) {
      operation = "in";
    } else if (IsName("not") && ahead().kind == Token::Kind::kName && ahead().text == "in") {
      operation = "not in";
      Take();
    }
    if (operation.empty()) break;
    Take();
    ENIGMA_ASSIGN_OR_RETURN(ExprPtr operand, ParseSum());
    chain->operators.push_back(std::move(operation));
    chain->children.push_back(std::move(operand));
  }
  if (chain->operators.empty()) return std::move(chain->children[0]);
  return Finish(std::move(chain));
}

absl::StatusOr<ExprPtr> Parser::ParseSum() {
  ENIGMA_ASSIGN_OR_RETURN(ExprPtr left, ParseConcatenation());
  while (IsOperator("+") || IsOperator("-")) {
    const Token operation = Take();
    ENIGMA_ASSIGN_OR_RETURN(ExprPtr right, ParseConcatenation());
    ENIGMA_ASSIGN_OR_RETURN(left,
                            Node(ExprKind::kBinary, operation.at, operation.text, std::move(left), std::move(right)));
  }
  return left;
}

absl::StatusOr<ExprPtr> Parser::ParseConcatenation() {
  ENIGMA_ASSIGN_OR_RETURN(ExprPtr first, ParseProduct());
  if (!IsOperator("~")) return first;
  auto joined = std::make_unique<Expr>();
  joined->kind = ExprKind::kConcatenate;
  joined->at = current().at;
  joined->children.push_back(std::move(first));
  while (SkipOperator("~")) {
    ENIGMA_ASSIGN_OR_RETURN(ExprPtr next, ParseProduct());
    joined->children.push_back(std::move(next));
  }
  return Finish(std::move(joined));
}

absl::StatusOr<ExprPtr> Parser::ParseProduct() {
  ENIGMA_ASSIGN_OR_RETURN(ExprPtr left, ParsePower());
  while (IsOperator("*") || IsOperator("/") || IsOperator("//") || IsOperator("%")) {
    const Token operation = Take();
    ENIGMA_ASSIGN_OR_RETURN(ExprPtr right, ParsePower());
    ENIGMA_ASSIGN_OR_RETURN(left,
                            Node(ExprKind::kBinary, operation.at, operation.text, std::move(left), std::move(right)));
  }
  return left;
}

// Unlike Python's, Jinja's power binds from the left and looser than a sign.
absl::StatusOr<ExprPtr> Parser::ParsePower() {
  ENIGMA_ASSIGN_OR_RETURN(ExprPtr left, ParseUnary(true));
  while (IsOperator("**")) {
    const Position at = Take().at;
    ENIGMA_ASSIGN_OR_RETURN(ExprPtr right, ParseUnary(true));
    ENIGMA_ASSIGN_OR_RETURN(left, Node(ExprKind::kBinary, at, "**", std::move(left), std::move(right)));
  }
  return left;
}

absl::StatusOr<ExprPtr> Parser::ParseUnary(bool with_filters) {
  const Nested nested(*this);
  if (nested.TooDeep()) return nested.Error();
  ExprPtr expr;
  if (IsOperator("-") || IsOperator("+")) {
    const Token sign = Take();
    ENIGMA_ASSIGN_OR_RETURN(ExprPtr operand, ParseUnary(false));
    ENIGMA_ASSIGN_OR_RETURN(
        expr, Node(sign.text == "-" ? ExprKind::kNegate : ExprKind::kPlus, sign.at, sign.text, std::move(operand)));
  } else {
    ENIGMA_ASSIGN_OR_RETURN(expr, ParsePrimary());
  }
  ENIGMA_ASSIGN_OR_RETURN(expr, ParsePostfix(std::move(expr)));
  if (!with_filters) return expr;
  return ParseFiltersAndTests(std::move(expr));
}

absl::StatusOr<ExprPtr> Parser::ParsePrimary() {
  const Position at = current().at;
  ENIGMA_ASSIGN_OR_RETURN(ExprPtr literal, Node(ExprKind::kLiteral, at, ""));
  switch (current().kind) {
    case Token::Kind::kName: {
      const std::string name = Take().text;
      if (name == "true" || name == "True" || name == "false" || name == "False") {
        literal->literal = Value::Bool(name[0] == 't' || name[0] == 'T');
      } else if (name == "none" || name == "None") {
        literal->literal = Value::None();
      } else {
        for (Signature* signature : signatures_) {
          signature->uses_varargs |= name == "varargs";
          signature->uses_kwargs |= name == "kwargs";
          signature->uses_caller |= name == "caller";
        }
        return Node(ExprKind::kName, at, name);
      }
      return literal;
    }
    case Token::Kind::kString: {
      std::string text = Take().text;
      while (current().kind == Token::Kind::kString) text += Take().text;
      literal->literal = Value::FromString(std::make_shared<const StringData>(std::move(text), nullptr));
      return literal;
    }
    case Token::Kind::kInteger: {
      const std::string digits = Take().text;
      const int base = digits.size() < 2 || digits[0] != '0' ? 10
                       : (digits[1] | 0x20) == 'x'           ? 16
                       : (digits[1] | 0x20) == 'o'           ? 8
                       : (digits[1] | 0x20) == 'b'           ? 2
                                                             : 10;
      const char* begin = digits.data() + (base == 10 ? 0 : 2);
      int64_t value = 0;
      const auto [end, error] = std::from_chars(begin, digits.data() + digits.size(), value, base);
      if (error != std::errc() || end != digits.data() + digits.size()) {
        return Error(at, absl::StrCat("'", digits, "' is not an integer of 64 bits"));
      }
      literal->literal = Value::Int(value);
      return literal;
    }
    case Token::Kind::kFloat: {
      const std::string digits = Take().text;
      double value = 0;
      const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
      if (error != std::errc()) return Error(at, absl::StrCat("'", digits, "' is beyond a double"));
      literal->literal = Value::Float(value);
      return literal;
    }
    case Token::Kind::kOperator:
      if (IsOperator("(")) return ParseParentheses();
      if (IsOperator("[")) return ParseList();
      if (IsOperator("{")) return ParseDict();
      [[fallthrough]];
    default:
      return Error(at, absl::StrCat("an expression should stand here, not ", Shown()));
  }
}

absl::StatusOr<ExprPtr> Parser::ParseParentheses() {
  const Position at = Take().at;
  if (SkipOperator(")")) return Node(ExprKind::kTuple, at, "");
  ENIGMA_ASSIGN_OR_RETURN(ExprPtr inside, ParseTuple());
  ENIGMA_RETURN_IF_ERROR(Expect(")"));
  return inside;
}

absl::StatusOr<ExprPtr> Parser::ParseList() {
  ENIGMA_ASSIGN_OR_RETURN(ExprPtr list, Node(ExprKind::kList, Take().at, ""));
  while (!IsOperator("]")) {
    if (!list->children.empty()) ENIGMA_RETURN_IF_ERROR(Expect(","));
    if (IsOperator("]")) break;
    ENIGMA_ASSIGN_OR_RETURN(ExprPtr item, ParseExpression());
    list->children.push_back(std::move(item));
  }
  Take();
  return Finish(std::move(list));
}

absl::StatusOr<ExprPtr> Parser::ParseDict() {
  ENIGMA_ASSIGN_OR_RETURN(ExprPtr dict, Node(ExprKind::kDict, Take().at, ""));
  while (!IsOperator("}")) {
    if (!dict->children.empty()) ENIGMA_RETURN_IF_ERROR(Expect(","));
    if (IsOperator("}")) break;
    ENIGMA_ASSIGN_OR_RETURN(ExprPtr key, ParseExpression());
    ENIGMA_RETURN_IF_ERROR(Expect(":"));
    ENIGMA_ASSIGN_OR_RETURN(ExprPtr value, ParseExpression());
    dict->children.push_back(std::move(key));
    dict->children.push_back(std::move(value));
  }
  Take();
  return Finish(std::move(dict));
}

absl::StatusOr<ExprPtr> Parser::ParsePostfix(ExprPtr expr) {
  while (current().kind == Token::Kind::kOperator) {
    if (IsOperator(".")) {
      const Position at = Take().at;
      const Token name = Take();
      if (name.kind == Token::Kind::kName) {
        ENIGMA_ASSIGN_OR_RETURN(expr, Node(ExprKind::kAttribute, at, name.text, std::move(expr)));
      } else if (name.kind == Token::Kind::kInteger) {
        ENIGMA_ASSIGN_OR_RETURN(ExprPtr index, Node(ExprKind::kLiteral, name.at, ""));
        int64_t value = 0;
        std::from_chars(name.text.data(), name.text.data() + name.text.size(), value);
        index->literal = Value::Int(value);
        ENIGMA_ASSIGN_OR_RETURN(expr, Node(ExprKind::kSubscript, at, "", std::move(expr), std::move(index)));
      } else {
        return Error(name.at, "a name or number should follow the dot");
      }
    } else if (IsOperator("[")) {
      ENIGMA_ASSIGN_OR_RETURN(expr, ParseSubscript(std::move(expr)));
    } else if (IsOperator("(")) {
      ENIGMA_ASSIGN_OR_RETURN(expr, ParseCall(std::move(expr)));
    } else {
      break;
    }
  }
  return expr;
}

absl::StatusOr<ExprPtr> Parser::ParseSubscript(ExprPtr expr) {
  const Position at = Take().at;
  ExprPtr parts[3];
  size_t colons = 0;
  while (!IsOperator("]")) {
    if (SkipOperator(":")) {
      if (++colons > 2) return Error(at, "a slice has at most two colons");
    } else if (parts[colons] == nullptr) {
      ENIGMA_ASSIGN_OR_RETURN(parts[colons], ParseTuple());
    } else {
      return Expect("]");
    }
  }
  Take();
  if (colons > 0) {
    return Node(ExprKind::kSlice, at, "", std::move(expr), std::move(parts[0]), std::move(parts[1]),
                std::move(parts[2]));
  }
  if (parts[0] == nullptr) return Error(at, "the subscript is empty");
  return Node(ExprKind::kSubscript, at, "", std::move(expr), std::move(parts[0]));
}

absl::StatusOr<ExprPtr> Parser::ParseFiltersAndTests(ExprPtr expr) {
  while (true) {
    if (IsOperator("|")) {
      Take();
      ENIGMA_ASSIGN_OR_RETURN(expr, ParseFilter(std::move(expr)));
    } else if (IsName("is")) {
      ENIGMA_ASSIGN_OR_RETURN(expr, ParseTest(std::move(expr)));
    } else if (IsOperator("(")) {
      ENIGMA_ASSIGN_OR_RETURN(expr, ParseCall(std::move(expr)));
    } else {
      return expr;
    }
  }
}

absl::StatusOr<std::string> Parser::ParseDottedName(std::string_view what) {
  ENIGMA_ASSIGN_OR_RETURN(std::string name, ExpectName(what));
  while (SkipOperator(".")) {
    ENIGMA_ASSIGN_OR_RETURN(const std::string part, ExpectName(what));
    absl::StrAppend(&name, ".", part);
  }
  return name;
}

absl::StatusOr<ExprPtr> Parser::ParseFilter(ExprPtr expr) {
  const Position at = current().at;
  ENIGMA_ASSIGN_OR_RETURN(std::string name, ParseDottedName("the name of a filter"));
  ENIGMA_ASSIGN_OR_RETURN(ExprPtr filter, Node(ExprKind::kFilter, at, std::move(name), std::move(expr)));
  if (IsOperator("(")) ENIGMA_RETURN_IF_ERROR(ParseArguments(*filter));
  return Finish(std::move(filter));
}

absl::StatusOr<ExprPtr> Parser::ParseTest(ExprPtr expr) {
  const Position at = Take().at;
  const bool negated = SkipName("not");
  ENIGMA_ASSIGN_OR_RETURN(std::string name, ParseDottedName("the name of a test"));
  ENIGMA_ASSIGN_OR_RETURN(ExprPtr test, Node(ExprKind::kTest, at, std::move(name), std::move(expr)));
  const Token::Kind kind = current().kind;
  if (IsOperator("(")) {
    ENIGMA_RETURN_IF_ERROR(ParseArguments(*test));
  } else if (kind == Token::Kind::kString || kind == Token::Kind::kInteger || kind == Token::Kind::kFloat ||
             IsOperator("[") || IsOperator("{") ||
             (kind == Token::Kind::kName && !IsName("else") && !IsName("or") && !IsName("and") && !IsName("if") &&
              !IsName("is") && !IsName("not") && !IsName("in"))) {
    ENIGMA_ASSIGN_OR_RETURN(ExprPtr operand, ParsePrimary());
    ENIGMA_ASSIGN_OR_RETURN(operand, ParsePostfix(std::move(operand)));
    test->arguments.push_back({Argument::Kind::kPositional, "", std::move(operand)});
  }
  ENIGMA_ASSIGN_OR_RETURN(test, Finish(std::move(test)));
  if (!negated) return test;
  return Node(ExprKind::kNot, at, "not", std::move(test));
}

absl::StatusOr<ExprPtr> Parser::ParseCall(ExprPtr callee) {
  const Position at = current().at;
  ENIGMA_ASSIGN_OR_RETURN(ExprPtr call, Node(ExprKind::kCall, at, "", std::move(callee)));
  ENIGMA_RETURN_IF_ERROR(ParseArguments(*call));
  return Finish(std::move(call));
}

absl::Status Parser::ParseArguments(Expr& call) {
  ENIGMA_RETURN_IF_ERROR(Expect("("));
  while (!IsOperator(")")) {
    if (!call.arguments.empty()) ENIGMA_RETURN_IF_ERROR(Expect(","));
    if (IsOperator(")")) break;
    Argument argument{Argument::Kind::kPositional, "", nullptr};
    const Position at = current().at;
    if (SkipOperator("*")) {
      argument.kind = Argument::Kind::kList;
    } else if (SkipOperator("**")) {
      argument.kind = Argument::Kind::kDict;
    } else if (current().kind == Token::Kind::kName && ahead().kind == Token::Kind::kOperator && ahead().text == "=") {
      argument.kind = Argument::Kind::kNamed;
      argument.name = Take().text;
      Take();
    } else if (!call.arguments.empty() && call.arguments.back().kind != Argument::Kind::kPositional) {
      return Error(at, "a positional argument cannot follow a named one");
    }
    ENIGMA_ASSIGN_OR_RETURN(argument.value, ParseExpression());
    call.arguments.push_back(std::move(argument));
  }
  Take();
  return absl::OkStatus();
}

}  // namespace enigma::engine::jinja
