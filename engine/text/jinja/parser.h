#pragma once

#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/text/jinja/ast.h"
#include "engine/text/jinja/token.h"

namespace enigma::engine::jinja {

// Tokens to a tree, with the grammar of Jinja (https://jinja.palletsprojects.com/en/3.1.x/templates/). Recursion and
// the height of expressions are bounded, so that no template overflows the stack, here or later. Use once.
class Parser {
 public:
  explicit Parser(std::vector<Token> tokens) : tokens_(std::move(tokens)) {}
  absl::StatusOr<Body> Parse();

 private:
  // What expressions and blocks may lie inside each other, and how high one expression's tree may be.
  static constexpr int kNestingMax = 100;
  static constexpr int kHeightMax = 200;
  class Nested;

  // Tokens.
  const Token& current() const { return tokens_[next_]; }
  const Token& ahead() const { return tokens_[std::min(next_ + 1, tokens_.size() - 1)]; }
  bool IsOperator(std::string_view text) const {
    return current().kind == Token::Kind::kOperator && current().text == text;
  }
  bool IsName(std::string_view name) const { return current().kind == Token::Kind::kName && current().text == name; }
  Token Take() { return tokens_[next_ + 1 < tokens_.size() ? next_++ : next_]; }
  bool SkipOperator(std::string_view text);
  bool SkipName(std::string_view name);
  absl::Status Expect(std::string_view operator_text);
  absl::StatusOr<std::string> ExpectName(std::string_view what);
  absl::Status ExpectBlockEnd();
  absl::Status Error(Position at, std::string_view message) const;
  std::string Shown() const;  // the current token, for messages

  // Statements (parser_statements.cc).
  absl::StatusOr<Body> ParseBody(std::initializer_list<std::string_view> ends);
  absl::StatusOr<StmtPtr> ParseStatement();
  absl::StatusOr<StmtPtr> ParseIf();
  absl::StatusOr<StmtPtr> ParseFor();
  absl::StatusOr<StmtPtr> ParseSet();
  absl::StatusOr<StmtPtr> ParseMacro();
  absl::StatusOr<StmtPtr> ParseCallBlock();
  absl::StatusOr<StmtPtr> ParseFilterBlock();
  absl::StatusOr<StmtPtr> ParseWith();
  absl::Status ParseSignature(Signature& signature);
  absl::Status ParseCallableBody(Stmt& stmt, std::string_view end);
  // Names, tuples of them, and where allowed an attribute of a namespace.
  absl::StatusOr<ExprPtr> ParseTarget(bool with_namespace);
  absl::StatusOr<ExprPtr> ParseOneTarget(bool with_namespace);

  // Expressions (parser_expressions.cc), from the loosest binding to the tightest.
  absl::StatusOr<ExprPtr> ParseExpression(bool with_ternary = true);
  absl::StatusOr<ExprPtr> ParseTuple(bool with_ternary = true);
  absl::StatusOr<ExprPtr> ParseTernary();
  absl::StatusOr<ExprPtr> ParseOr();
  absl::StatusOr<ExprPtr> ParseAnd();
  absl::StatusOr<ExprPtr> ParseNot();
  absl::StatusOr<ExprPtr> ParseCompare();
  absl::StatusOr<ExprPtr> ParseSum();
  absl::StatusOr<ExprPtr> ParseConcatenation();
  absl::StatusOr<ExprPtr> ParseProduct();
  absl::StatusOr<ExprPtr> ParsePower();
  absl::StatusOr<ExprPtr> ParseUnary(bool with_filters);
  absl::StatusOr<ExprPtr> ParsePrimary();
  absl::StatusOr<ExprPtr> ParseParentheses();
  absl::StatusOr<ExprPtr> ParseList();
  absl::StatusOr<ExprPtr> ParseDict();
  absl::StatusOr<ExprPtr> ParsePostfix(ExprPtr expr);
  absl::StatusOr<ExprPtr> ParseSubscript(ExprPtr expr);
  absl::StatusOr<ExprPtr> ParseFiltersAndTests(ExprPtr expr);
  absl::StatusOr<ExprPtr> ParseFilter(ExprPtr expr);
  absl::StatusOr<ExprPtr> ParseTest(ExprPtr expr);
  absl::StatusOr<ExprPtr> ParseCall(ExprPtr callee);
  absl::Status ParseArguments(Expr& call);
  absl::StatusOr<std::string> ParseDottedName(std::string_view what);
  absl::StatusOr<ExprPtr> Finish(ExprPtr expr) const;  // sets the height, refuses one that is too high
  template <typename... Children>
  absl::StatusOr<ExprPtr> Node(ExprKind kind, Position at, std::string name, Children... children) const;

  std::vector<Token> tokens_;
  size_t next_ = 0;
  int nesting_ = 0;
  int loops_ = 0;                       // around the current statement, within its macro
  std::vector<Signature*> signatures_;  // of the macros around the current statement
};

// Fails when too much is nested; counts while it lives.
class Parser::Nested {
 public:
  explicit Nested(Parser& parser) : parser_(parser) { ++parser_.nesting_; }
  ~Nested() { --parser_.nesting_; }
  Nested(const Nested&) = delete;
  Nested& operator=(const Nested&) = delete;
  bool TooDeep() const { return parser_.nesting_ > kNestingMax; }
  absl::Status Error() const { return parser_.Error(parser_.current().at, "too much is nested here"); }

 private:
  Parser& parser_;
};

}  // namespace enigma::engine::jinja
