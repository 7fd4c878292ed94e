#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/text/jinja/parser.h"

namespace enigma::engine::jinja {

namespace {

StmtPtr NewStatement(StmtKind kind, Position at) {
  auto stmt = std::make_unique<Stmt>();
  stmt->kind = kind;
  stmt->at = at;
  return stmt;
}

}  // namespace

bool Parser::SkipOperator(std::string_view text) {
  if (!IsOperator(text)) return false;
  Take();
  return true;
}

bool Parser::SkipName(std::string_view name) {
  if (!IsName(name)) return false;
  Take();
  return true;
}

std::string Parser::Shown() const {
  switch (current().kind) {
    case Token::Kind::kEnd:
      return "the end of the template";
    case Token::Kind::kText:
      return "text";
    case Token::Kind::kOutputEnd:
      return "'}}'";
    case Token::Kind::kBlockEnd:
      return "'%}'";
    case Token::Kind::kString:
      return "a string";
    default:
      return absl::StrCat("'", current().text, "'");
  }
}

absl::Status Parser::Error(Position at, std::string_view message) const {
  return absl::InvalidArgumentError(
      absl::StrCat("chat template, line ", at.line, ", column ", at.column, ": ", ToAbsl(message)));
}

absl::Status Parser::Expect(std::string_view operator_text) {
  if (SkipOperator(operator_text)) return absl::OkStatus();
  return Error(current().at, absl::StrCat("'", ToAbsl(operator_text), "' should stand here, not ", Shown()));
}

absl::StatusOr<std::string> Parser::ExpectName(std::string_view what) {
  if (current().kind == Token::Kind::kName) return Take().text;
  return Error(current().at, absl::StrCat(ToAbsl(what), " should stand here, not ", Shown()));
}

absl::Status Parser::ExpectBlockEnd() {
  if (current().kind == Token::Kind::kBlockEnd) {
    Take();
    return absl::OkStatus();
  }
  return Error(current().at, absl::StrCat("'%}' should stand here, not ", Shown()));
}

absl::StatusOr<Body> Parser::Parse() { return ParseBody({}); }

// Ends behind the name of the tag that ends it, which is in tokens_[next_ - 1].
absl::StatusOr<Body> Parser::ParseBody(std::initializer_list<std::string_view> ends) {
  const Nested nested(*this);
  if (nested.TooDeep()) return nested.Error();
  Body body;
  while (current().kind != Token::Kind::kEnd) {
    const Token token = Take();
    if (token.kind == Token::Kind::kText) {
      StmtPtr stmt = NewStatement(StmtKind::kText, token.at);
      stmt->text = token.text;
      body.push_back(std::move(stmt));
    } else if (token.kind == Token::Kind::kOutputBegin) {
      StmtPtr stmt = NewStatement(StmtKind::kOutput, token.at);
      ENIGMA_ASSIGN_OR_RETURN(ExprPtr value, ParseTuple());
      stmt->expressions.push_back(std::move(value));
      if (current().kind != Token::Kind::kOutputEnd) {
        return Error(current().at, absl::StrCat("'}}' should stand here, not ", Shown()));
      }
      Take();
      body.push_back(std::move(stmt));
    } else {
      for (const std::string_view end : ends) {
        if (SkipName(end)) return body;
      }
      ENIGMA_ASSIGN_OR_RETURN(StmtPtr stmt, ParseStatement());
      if (stmt != nullptr) body.push_back(std::move(stmt));
    }
  }
  if (ends.size() > 0) {
    return Error(current().at, absl::StrCat("the template ends, but {% ", ToAbsl(*(ends.end() - 1)), " %} is missing"));
  }
  return body;
}

absl::StatusOr<StmtPtr> Parser::ParseStatement() {
  const Position at = current().at;
  ENIGMA_ASSIGN_OR_RETURN(const std::string name, ExpectName("the name of a tag"));
  if (name == "if") return ParseIf();
  if (name == "for") return ParseFor();
  if (name == "set") return ParseSet();
  if (name == "macro") return ParseMacro();
  if (name == "call") return ParseCallBlock();
  if (name == "filter") return ParseFilterBlock();
  if (name == "with") return ParseWith();
  if (name == "generation") {
    StmtPtr stmt = NewStatement(StmtKind::kScoped, at);
    ENIGMA_RETURN_IF_ERROR(ExpectBlockEnd());
    ENIGMA_ASSIGN_OR_RETURN(Body body, ParseBody({"endgeneration"}));
    stmt->bodies.push_back(std::move(body));
    ENIGMA_RETURN_IF_ERROR(ExpectBlockEnd());
    return stmt;
  }
  if (name == "break" || name == "continue") {
    if (loops_ == 0) return Error(at, absl::StrCat("'", name, "' stands outside of a loop"));
    ENIGMA_RETURN_IF_ERROR(ExpectBlockEnd());
    return NewStatement(name == "break" ? StmtKind::kBreak : StmtKind::kContinue, at);
  }
  return Error(at, absl::StrCat("'", name, "' is not a tag that can stand here"));
}

absl::StatusOr<StmtPtr> Parser::ParseIf() {
  StmtPtr stmt = NewStatement(StmtKind::kIf, current().at);
  std::string_view tag = "if";
  while (tag != "endif") {
    if (tag != "else") {
      ENIGMA_ASSIGN_OR_RETURN(ExprPtr condition, ParseTuple(/*with_ternary=*/false));
      stmt->expressions.push_back(std::move(condition));
    }
    ENIGMA_RETURN_IF_ERROR(ExpectBlockEnd());
    const bool last = tag == "else";
    ENIGMA_ASSIGN_OR_RETURN(Body body, last ? ParseBody({"endif"}) : ParseBody({"elif", "else", "endif"}));
    stmt->bodies.push_back(std::move(body));
    const std::string& end = tokens_[next_ - 1].text;
    tag = end == "elif" ? "elif" : (end == "else" ? "else" : "endif");
  }
  ENIGMA_RETURN_IF_ERROR(ExpectBlockEnd());
  return stmt;
}

absl::StatusOr<StmtPtr> Parser::ParseFor() {
  StmtPtr stmt = NewStatement(StmtKind::kFor, current().at);
  ENIGMA_ASSIGN_OR_RETURN(ExprPtr target, ParseTarget(false));
  stmt->targets.push_back(std::move(target));
  if (!SkipName("in")) return Error(current().at, absl::StrCat("'in' should stand here, not ", Shown()));
  ENIGMA_ASSIGN_OR_RETURN(ExprPtr iterable, ParseTuple(/*with_ternary=*/false));
  stmt->expressions.push_back(std::move(iterable));
  ExprPtr condition;
  if (SkipName("if")) {
    ENIGMA_ASSIGN_OR_RETURN(condition, ParseExpression());
  }
  stmt->expressions.push_back(std::move(condition));
  stmt->recursive = SkipName("recursive");
  ENIGMA_RETURN_IF_ERROR(ExpectBlockEnd());
  ++loops_;
  auto body = ParseBody({"else", "endfor"});
  --loops_;
  if (!body.ok()) return body.status();
  stmt->bodies.push_back(std::move(*body));
  if (tokens_[next_ - 1].text == "else") {
    ENIGMA_RETURN_IF_ERROR(ExpectBlockEnd());
    ENIGMA_ASSIGN_OR_RETURN(Body otherwise, ParseBody({"endfor"}));
    stmt->bodies.push_back(std::move(otherwise));
  }
  ENIGMA_RETURN_IF_ERROR(ExpectBlockEnd());
  return stmt;
}

absl::StatusOr<ExprPtr> Parser::ParseOneTarget(bool with_namespace) {
  const Nested nested(*this);
  if (nested.TooDeep()) return nested.Error();
  if (SkipOperator("(")) {
    ENIGMA_ASSIGN_OR_RETURN(ExprPtr inside, ParseTarget(false));
    ENIGMA_RETURN_IF_ERROR(Expect(")"));
    return inside;
  }
  auto target = std::make_unique<Expr>();
  target->kind = ExprKind::kName;
  target->at = current().at;
  ENIGMA_ASSIGN_OR_RETURN(target->name, ExpectName("a name to assign to"));
  for (const std::string_view constant : {"true", "false", "none", "True", "False", "None"}) {
    if (target->name == constant) return Error(target->at, absl::StrCat("cannot assign to '", target->name, "'"));
  }
  if (!with_namespace || !SkipOperator(".")) return target;
  auto attribute = std::make_unique<Expr>();
  attribute->kind = ExprKind::kAttribute;
  attribute->at = target->at;
  ENIGMA_ASSIGN_OR_RETURN(attribute->name, ExpectName("the name of an attribute"));
  attribute->children.push_back(std::move(target));
  return attribute;
}

absl::StatusOr<ExprPtr> Parser::ParseTarget(bool with_namespace) {
  const Position at = current().at;
  ENIGMA_ASSIGN_OR_RETURN(ExprPtr first, ParseOneTarget(with_namespace));
  if (!IsOperator(",")) return first;
  auto tuple = std::make_unique<Expr>();
  tuple->kind = ExprKind::kTuple;
  tuple->at = at;
  tuple->children.push_back(std::move(first));
  while (SkipOperator(",") && (current().kind == Token::Kind::kName || IsOperator("(")) && !IsName("in")) {
    ENIGMA_ASSIGN_OR_RETURN(ExprPtr next, ParseOneTarget(with_namespace));
    tuple->children.push_back(std::move(next));
  }
  return tuple;
}

absl::StatusOr<StmtPtr> Parser::ParseSet() {
  StmtPtr stmt = NewStatement(StmtKind::kSet, current().at);
  ENIGMA_ASSIGN_OR_RETURN(ExprPtr target, ParseTarget(true));
  stmt->targets.push_back(std::move(target));
  if (SkipOperator("=")) {
    ENIGMA_ASSIGN_OR_RETURN(ExprPtr value, ParseTuple());
    stmt->expressions.push_back(std::move(value));
    ENIGMA_RETURN_IF_ERROR(ExpectBlockEnd());
    return stmt;
  }
  stmt->kind = StmtKind::kSetBlock;
  ExprPtr chain;
  if (IsOperator("|")) {
    chain = std::make_unique<Expr>();
    chain->kind = ExprKind::kBlockText;
    chain->at = current().at;
    ENIGMA_ASSIGN_OR_RETURN(chain, ParseFiltersAndTests(std::move(chain)));
  }
  stmt->expressions.push_back(std::move(chain));
  ENIGMA_RETURN_IF_ERROR(ExpectBlockEnd());
  ENIGMA_ASSIGN_OR_RETURN(Body body, ParseBody({"endset"}));
  stmt->bodies.push_back(std::move(body));
  ENIGMA_RETURN_IF_ERROR(ExpectBlockEnd());
  return stmt;
}

absl::Status Parser::ParseSignature(Signature& signature) {
  ENIGMA_RETURN_IF_ERROR(Expect("("));
  while (!IsOperator(")")) {
    if (!signature.parameters.empty()) ENIGMA_RETURN_IF_ERROR(Expect(","));
    if (IsOperator(")")) break;
    const Position at = current().at;
    ENIGMA_ASSIGN_OR_RETURN(std::string name, ExpectName("the name of a parameter"));
    signature.parameters.push_back(std::move(name));
    if (SkipOperator("=")) {
      ENIGMA_ASSIGN_OR_RETURN(ExprPtr value, ParseExpression());
      signature.defaults.push_back(std::move(value));
    } else if (!signature.defaults.empty()) {
      return Error(at, "a parameter without a default cannot follow one that has it");
    }
  }
  Take();
  return absl::OkStatus();
}

absl::Status Parser::ParseCallableBody(Stmt& stmt, std::string_view end) {
  const int loops = std::exchange(loops_, 0);
  signatures_.push_back(&stmt.signature);
  auto body = ParseBody({end});
  signatures_.pop_back();
  loops_ = loops;
  if (!body.ok()) return body.status();
  stmt.bodies.push_back(std::move(*body));
  return ExpectBlockEnd();
}

absl::StatusOr<StmtPtr> Parser::ParseMacro() {
  StmtPtr stmt = NewStatement(StmtKind::kMacro, current().at);
  ENIGMA_ASSIGN_OR_RETURN(stmt->signature.name, ExpectName("the name of the macro"));
  ENIGMA_RETURN_IF_ERROR(ParseSignature(stmt->signature));
  ENIGMA_RETURN_IF_ERROR(ExpectBlockEnd());
  ENIGMA_RETURN_IF_ERROR(ParseCallableBody(*stmt, "endmacro"));
  return stmt;
}

absl::StatusOr<StmtPtr> Parser::ParseCallBlock() {
  StmtPtr stmt = NewStatement(StmtKind::kCall, current().at);
  stmt->signature.name = "caller";
  if (IsOperator("(")) ENIGMA_RETURN_IF_ERROR(ParseSignature(stmt->signature));
  const Position at = current().at;
  ENIGMA_ASSIGN_OR_RETURN(ExprPtr call, ParseExpression());
  if (call->kind != ExprKind::kCall) return Error(at, "a call, as in name(...), should stand here");
  stmt->expressions.push_back(std::move(call));
  ENIGMA_RETURN_IF_ERROR(ExpectBlockEnd());
  ENIGMA_RETURN_IF_ERROR(ParseCallableBody(*stmt, "endcall"));
  return stmt;
}

absl::StatusOr<StmtPtr> Parser::ParseFilterBlock() {
  StmtPtr stmt = NewStatement(StmtKind::kFilter, current().at);
  auto text = std::make_unique<Expr>();
  text->kind = ExprKind::kBlockText;
  text->at = current().at;
  ENIGMA_ASSIGN_OR_RETURN(ExprPtr chain, ParseFilter(std::move(text)));
  ENIGMA_ASSIGN_OR_RETURN(chain, ParseFiltersAndTests(std::move(chain)));
  stmt->expressions.push_back(std::move(chain));
  ENIGMA_RETURN_IF_ERROR(ExpectBlockEnd());
  ENIGMA_ASSIGN_OR_RETURN(Body body, ParseBody({"endfilter"}));
  stmt->bodies.push_back(std::move(body));
  ENIGMA_RETURN_IF_ERROR(ExpectBlockEnd());
  return stmt;
}

absl::StatusOr<StmtPtr> Parser::ParseWith() {
  StmtPtr stmt = NewStatement(StmtKind::kWith, current().at);
  while (current().kind != Token::Kind::kBlockEnd) {
    if (!stmt->targets.empty()) ENIGMA_RETURN_IF_ERROR(Expect(","));
    ENIGMA_ASSIGN_OR_RETURN(ExprPtr target, ParseOneTarget(false));
    ENIGMA_RETURN_IF_ERROR(Expect("="));
    ENIGMA_ASSIGN_OR_RETURN(ExprPtr value, ParseExpression());
    stmt->targets.push_back(std::move(target));
    stmt->expressions.push_back(std::move(value));
  }
  ENIGMA_RETURN_IF_ERROR(ExpectBlockEnd());
  ENIGMA_ASSIGN_OR_RETURN(Body body, ParseBody({"endwith"}));
  stmt->bodies.push_back(std::move(body));
  ENIGMA_RETURN_IF_ERROR(ExpectBlockEnd());
  return stmt;
}

}  // namespace enigma::engine::jinja
