#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/text/jinja/evaluator.h"
#include "engine/text/jinja/filters.h"
#include "engine/text/jinja/methods.h"
#include "engine/text/jinja/operators.h"
#include "engine/text/jinja/value_text.h"

namespace enigma::engine::jinja {

const Value* Scope::Find(const std::string& name) const {
  for (const Scope* scope = this; scope != nullptr; scope = scope->parent.get()) {
    if (const auto it = scope->values.find(name); it != scope->values.end()) return &it->second;
  }
  return nullptr;
}

absl::Status Evaluator::Deeper::Check() const {
  if (evaluator_.depth_ <= evaluator_.runtime_.limits().depth_max) return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("expressions, blocks and macro calls lie more than ",
                                                   evaluator_.runtime_.limits().depth_max, " deep"));
}

absl::StatusOr<Value> Evaluator::Evaluate(const Expr& expr) {
  const Deeper deeper(*this);
  if (absl::Status status = deeper.Check(); !status.ok()) return runtime_.At(expr.at, std::move(status));
  if (absl::Status status = runtime_.Work(1); !status.ok()) return runtime_.At(expr.at, std::move(status));
  absl::StatusOr<Value> value = EvaluateKind(expr);
  if (!value.ok()) return runtime_.At(expr.at, value.status());
  return value;
}

absl::StatusOr<Value> Evaluator::EvaluateKind(const Expr& expr) {
  switch (expr.kind) {
    case ExprKind::kLiteral:
      return expr.literal;
    case ExprKind::kName:
      return EvaluateName(expr);
    case ExprKind::kList:
    case ExprKind::kTuple:
      return EvaluateItems(expr);
    case ExprKind::kDict:
      return EvaluateDict(expr);
    case ExprKind::kAttribute: {
      ENIGMA_ASSIGN_OR_RETURN(const Value value, Evaluate(*expr.children[0]));
      return GetAttribute(runtime_, value, expr.name);
    }
    case ExprKind::kSubscript:
      return EvaluateSubscript(expr);
    case ExprKind::kSlice:
      return EvaluateSlice(expr);
    case ExprKind::kCall:
      return EvaluateCall(expr);
    case ExprKind::kFilter:
      return EvaluateFilter(expr);
    case ExprKind::kTest:
      return EvaluateTest(expr);
    case ExprKind::kNegate:
    case ExprKind::kPlus: {
      ENIGMA_ASSIGN_OR_RETURN(const Value value, Evaluate(*expr.children[0]));
      return expr.kind == ExprKind::kNegate ? Negate(value) : Plus(value);
    }
    case ExprKind::kNot: {
      ENIGMA_ASSIGN_OR_RETURN(const Value value, Evaluate(*expr.children[0]));
      return Value::Bool(!value.IsTrue());
    }
    case ExprKind::kAnd:
    case ExprKind::kOr: {
      ENIGMA_ASSIGN_OR_RETURN(const Value left, Evaluate(*expr.children[0]));
      if (left.IsTrue() == (expr.kind == ExprKind::kOr)) return left;
      return Evaluate(*expr.children[1]);
    }
    case ExprKind::kBinary:
      return EvaluateBinary(expr);
    case ExprKind::kConcatenate:
      return EvaluateConcatenation(expr);
    case ExprKind::kCompare:
      return EvaluateCompare(expr);
    case ExprKind::kTernary:
      return EvaluateTernary(expr);
    case ExprKind::kBlockText:
      return block_text_;
  }
  return absl::InternalError("an expression of no kind");
}

absl::StatusOr<Value> Evaluator::EvaluateName(const Expr& expr) {
  if (const Value* found = scope_->Find(expr.name)) return *found;
  return Value::Undefined(absl::StrCat("'", expr.name, "' is undefined"));
}

absl::StatusOr<Value> Evaluator::EvaluateItems(const Expr& expr) {
  std::vector<Value> items;
  items.reserve(expr.children.size());
  for (const ExprPtr& child : expr.children) {
    ENIGMA_ASSIGN_OR_RETURN(Value item, Evaluate(*child));
    items.push_back(std::move(item));
  }
  return expr.kind == ExprKind::kTuple ? runtime_.Tuple(std::move(items)) : runtime_.List(std::move(items));
}

absl::StatusOr<Value> Evaluator::EvaluateDict(const Expr& expr) {
  std::vector<DictData::Entry> entries;
  for (size_t i = 0; i + 1 < expr.children.size(); i += 2) {
    ENIGMA_ASSIGN_OR_RETURN(Value key, Evaluate(*expr.children[i]));
    ENIGMA_ASSIGN_OR_RETURN(Value value, Evaluate(*expr.children[i + 1]));
    entries.push_back({std::move(key), std::move(value)});
  }
  return runtime_.Dict(std::move(entries));
}

absl::StatusOr<Value> Evaluator::EvaluateSubscript(const Expr& expr) {
  ENIGMA_ASSIGN_OR_RETURN(const Value value, Evaluate(*expr.children[0]));
  ENIGMA_ASSIGN_OR_RETURN(const Value key, Evaluate(*expr.children[1]));
  return GetItem(runtime_, value, key);
}

absl::StatusOr<Value> Evaluator::EvaluateSlice(const Expr& expr) {
  ENIGMA_ASSIGN_OR_RETURN(const Value value, Evaluate(*expr.children[0]));
  Value parts[3] = {Value::None(), Value::None(), Value::None()};
  for (size_t i = 0; i < 3; ++i) {
    if (expr.children[i + 1] == nullptr) continue;
    ENIGMA_ASSIGN_OR_RETURN(parts[i], Evaluate(*expr.children[i + 1]));
  }
  return Slice(runtime_, value, parts[0], parts[1], parts[2]);
}

absl::StatusOr<Value> Evaluator::EvaluateBinary(const Expr& expr) {
  ENIGMA_ASSIGN_OR_RETURN(const Value left, Evaluate(*expr.children[0]));
  ENIGMA_ASSIGN_OR_RETURN(const Value right, Evaluate(*expr.children[1]));
  return Binary(runtime_, expr.name, left, right);
}

absl::StatusOr<Value> Evaluator::EvaluateConcatenation(const Expr& expr) {
  std::string text;
  for (const ExprPtr& child : expr.children) {
    ENIGMA_ASSIGN_OR_RETURN(const Value value, Evaluate(*child));
    ENIGMA_RETURN_IF_ERROR(AppendText(runtime_, value, text));
  }
  return runtime_.String(std::move(text));
}

absl::StatusOr<Value> Evaluator::EvaluateCompare(const Expr& expr) {
  ENIGMA_ASSIGN_OR_RETURN(Value left, Evaluate(*expr.children[0]));
  for (size_t i = 0; i < expr.operators.size(); ++i) {
    ENIGMA_ASSIGN_OR_RETURN(Value right, Evaluate(*expr.children[i + 1]));
    ENIGMA_ASSIGN_OR_RETURN(const bool holds, Relate(runtime_, expr.operators[i], left, right));
    if (!holds) return Value::Bool(false);
    left = std::move(right);
  }
  return Value::Bool(true);
}

absl::StatusOr<Value> Evaluator::EvaluateTernary(const Expr& expr) {
  ENIGMA_ASSIGN_OR_RETURN(const Value condition, Evaluate(*expr.children[1]));
  if (condition.IsTrue()) return Evaluate(*expr.children[0]);
  if (expr.children[2] != nullptr) return Evaluate(*expr.children[2]);
  return Value::Undefined("the condition of an inline if is false, and it has no else");
}

absl::StatusOr<Arguments> Evaluator::EvaluateArguments(const Expr& expr) {
  Arguments arguments;
  for (const Argument& argument : expr.arguments) {
    ENIGMA_ASSIGN_OR_RETURN(Value value, Evaluate(*argument.value));
    switch (argument.kind) {
      case Argument::Kind::kPositional:
        arguments.positional.push_back(std::move(value));
        break;
      case Argument::Kind::kNamed:
        arguments.named.emplace_back(argument.name, std::move(value));
        break;
      case Argument::Kind::kList: {
        ENIGMA_ASSIGN_OR_RETURN(const std::vector<Value> items, Items(runtime_, value));
        ENIGMA_RETURN_IF_ERROR(runtime_.Work(items.size()));
        arguments.positional.insert(arguments.positional.end(), items.begin(), items.end());
        break;
      }
      case Argument::Kind::kDict:
        if (!value.IsDict()) return absl::InvalidArgumentError("** needs a dict of arguments");
        ENIGMA_RETURN_IF_ERROR(runtime_.Work(value.dict().entries.size()));
        for (const auto& entry : value.dict().entries) {
          if (!entry.key.IsString()) return absl::InvalidArgumentError("the names of arguments must be strings");
          arguments.named.emplace_back(entry.key.text(), entry.value);
        }
        break;
    }
  }
  return arguments;
}

absl::StatusOr<Value> Evaluator::EvaluateCall(const Expr& expr, const Value* caller) {
  const Expr& callee = *expr.children[0];
  Value function;
  if (callee.kind == ExprKind::kAttribute) {
    // A method is called on its value at once, without an object that binds the two.
    ENIGMA_ASSIGN_OR_RETURN(const Value self, Evaluate(*callee.children[0]));
    if ((self.IsString() || self.IsList() || self.IsDict()) && HasMethod(self, callee.name)) {
      ENIGMA_ASSIGN_OR_RETURN(Arguments arguments, EvaluateArguments(expr));
      return CallMethod(runtime_, self, callee.name, std::move(arguments));
    }
    ENIGMA_ASSIGN_OR_RETURN(function, GetAttribute(runtime_, self, callee.name));
  } else {
    ENIGMA_ASSIGN_OR_RETURN(function, Evaluate(callee));
  }
  ENIGMA_ASSIGN_OR_RETURN(Arguments arguments, EvaluateArguments(expr));
  if (caller != nullptr) arguments.named.emplace_back("caller", *caller);
  if (function.IsUndefined()) return UndefinedError(function);
  if (!function.IsObject()) {
    return absl::InvalidArgumentError(absl::StrCat("'", function.TypeName(), "' object is not callable"));
  }
  return function.object()->Call(runtime_, std::move(arguments));
}

absl::StatusOr<Value> Evaluator::EvaluateFilter(const Expr& expr) {
  ENIGMA_ASSIGN_OR_RETURN(const Value value, Evaluate(*expr.children[0]));
  ENIGMA_ASSIGN_OR_RETURN(Arguments arguments, EvaluateArguments(expr));
  return ApplyFilter(runtime_, expr.name, value, std::move(arguments));
}

absl::StatusOr<Value> Evaluator::EvaluateTest(const Expr& expr) {
  ENIGMA_ASSIGN_OR_RETURN(const Value value, Evaluate(*expr.children[0]));
  ENIGMA_ASSIGN_OR_RETURN(Arguments arguments, EvaluateArguments(expr));
  ENIGMA_ASSIGN_OR_RETURN(const bool holds, ApplyTest(runtime_, expr.name, value, std::move(arguments)));
  return Value::Bool(holds);
}

}  // namespace enigma::engine::jinja
