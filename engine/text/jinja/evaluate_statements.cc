#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/text/jinja/evaluator.h"
#include "engine/text/jinja/objects.h"
#include "engine/text/jinja/operators.h"
#include "engine/text/jinja/value_text.h"

namespace enigma::engine::jinja {

namespace {

// Scopes inside each other: bounds the search for a name, and the recursion when they are freed.
constexpr int kScopesMax = 200;

}  // namespace

absl::StatusOr<std::string> Evaluator::Render(const Body& body) {
  ENIGMA_ASSIGN_OR_RETURN(const Flow flow, ExecuteBody(body));
  static_cast<void>(flow);
  return std::move(out_);
}

absl::StatusOr<Evaluator::Flow> Evaluator::ExecuteBody(const Body& body) {
  for (const StmtPtr& stmt : body) {
    ENIGMA_ASSIGN_OR_RETURN(const Flow flow, Execute(*stmt));
    if (flow != Flow::kNext) return flow;
  }
  return Flow::kNext;
}

absl::StatusOr<Evaluator::Flow> Evaluator::Execute(const Stmt& stmt) {
  const Deeper deeper(*this);
  absl::Status status = deeper.Check();
  if (status.ok()) status = runtime_.Work(1);
  if (status.ok() && scope_->depth > kScopesMax) {
    status = absl::ResourceExhaustedError(absl::StrCat("more than ", kScopesMax, " scopes lie inside each other"));
  }
  if (!status.ok()) return runtime_.At(stmt.at, std::move(status));
  absl::StatusOr<Flow> flow = ExecuteKind(stmt);
  if (!flow.ok()) return runtime_.At(stmt.at, flow.status());
  return flow;
}

absl::StatusOr<Evaluator::Flow> Evaluator::ExecuteKind(const Stmt& stmt) {
  switch (stmt.kind) {
    case StmtKind::kText:
      ENIGMA_RETURN_IF_ERROR(AppendBytes(stmt.text));
      return Flow::kNext;
    case StmtKind::kOutput: {
      ENIGMA_ASSIGN_OR_RETURN(const Value value, Evaluate(*stmt.expressions[0]));
      ENIGMA_RETURN_IF_ERROR(Append(value));
      return Flow::kNext;
    }
    case StmtKind::kIf:
      return ExecuteIf(stmt);
    case StmtKind::kFor: {
      ENIGMA_ASSIGN_OR_RETURN(const Value iterable, Evaluate(*stmt.expressions[0]));
      return ExecuteFor(stmt, iterable, 0);
    }
    case StmtKind::kSet: {
      ENIGMA_ASSIGN_OR_RETURN(const Value value, Evaluate(*stmt.expressions[0]));
      ENIGMA_RETURN_IF_ERROR(Assign(*stmt.targets[0], value));
      return Flow::kNext;
    }
    case StmtKind::kSetBlock:
      ENIGMA_RETURN_IF_ERROR(ExecuteSetBlock(stmt));
      return Flow::kNext;
    case StmtKind::kMacro:
      scope_->values[stmt.signature.name] =
          Value::FromObject(runtime_.Own<Macro>(*this, stmt.signature, stmt.bodies[0], scope_));
      return Flow::kNext;
    case StmtKind::kCall:
      ENIGMA_RETURN_IF_ERROR(ExecuteCall(stmt));
      return Flow::kNext;
    case StmtKind::kFilter: {
      ENIGMA_ASSIGN_OR_RETURN(const Value text, Capture(stmt.bodies[0]));
      ENIGMA_ASSIGN_OR_RETURN(const Value filtered, Filtered(*stmt.expressions[0], text));
      ENIGMA_RETURN_IF_ERROR(Append(filtered));
      return Flow::kNext;
    }
    case StmtKind::kWith:
      return ExecuteWith(stmt);
    case StmtKind::kScoped:
      return ExecuteScoped(stmt.bodies[0]);
    case StmtKind::kBreak:
      return Flow::kBreak;
    case StmtKind::kContinue:
      return Flow::kContinue;
  }
  return absl::InternalError("a statement of no kind");
}

absl::Status Evaluator::AppendBytes(std::string_view text) {
  ENIGMA_RETURN_IF_ERROR(runtime_.WorkOnBytes(text.size()));
  if (out_.size() + text.size() > runtime_.limits().output_bytes_max) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the output would have more than ", runtime_.limits().output_bytes_max, " bytes"));
  }
  out_ += text;
  return absl::OkStatus();
}

absl::Status Evaluator::Append(const Value& value) {
  if (value.IsString()) return AppendBytes(value.text());
  std::string text;
  ENIGMA_RETURN_IF_ERROR(AppendText(runtime_, value, text));
  return AppendBytes(text);
}

absl::StatusOr<Evaluator::Flow> Evaluator::ExecuteIf(const Stmt& stmt) {
  for (size_t i = 0; i < stmt.expressions.size(); ++i) {
    ENIGMA_ASSIGN_OR_RETURN(const Value condition, Evaluate(*stmt.expressions[i]));
    if (condition.IsTrue()) return ExecuteBody(stmt.bodies[i]);
  }
  if (stmt.bodies.size() > stmt.expressions.size()) return ExecuteBody(stmt.bodies.back());
  return Flow::kNext;
}

absl::StatusOr<std::vector<Value>> Evaluator::LoopItems(const Stmt& stmt, const Value& iterable) {
  ENIGMA_ASSIGN_OR_RETURN(std::vector<Value> items, Items(runtime_, iterable));
  if (stmt.expressions[1] == nullptr) return items;
  std::vector<Value> kept;
  const Within within(*this, std::make_shared<Scope>(scope_));
  for (Value& item : items) {
    ENIGMA_RETURN_IF_ERROR(Assign(*stmt.targets[0], item));
    ENIGMA_ASSIGN_OR_RETURN(const Value condition, Evaluate(*stmt.expressions[1]));
    if (condition.IsTrue()) kept.push_back(std::move(item));
  }
  return kept;
}

absl::StatusOr<Evaluator::Flow> Evaluator::ExecuteFor(const Stmt& stmt, const Value& iterable, int level) {
  ENIGMA_ASSIGN_OR_RETURN(std::vector<Value> items, LoopItems(stmt, iterable));
  if (items.empty()) {
    if (stmt.bodies.size() < 2) return Flow::kNext;
    const Within within(*this, std::make_shared<Scope>(scope_));
    return ExecuteBody(stmt.bodies[1]);
  }
  const ScopePtr outer = scope_;
  Loop* loop = runtime_.Own<Loop>(*this, stmt, outer, std::move(items), level);
  for (size_t i = 0; i < loop->items().size(); ++i) {
    // Names set in one turn are gone in the next.
    const Within within(*this, std::make_shared<Scope>(outer));
    ENIGMA_RETURN_IF_ERROR(runtime_.Work(1));
    scope_->values["loop"] = Value::FromObject(loop);
    loop->MoveTo(i);
    ENIGMA_RETURN_IF_ERROR(Assign(*stmt.targets[0], loop->items()[i]));
    ENIGMA_ASSIGN_OR_RETURN(const Flow flow, ExecuteBody(stmt.bodies[0]));
    if (flow == Flow::kBreak) break;
  }
  loop->End();
  return Flow::kNext;
}

absl::StatusOr<Value> Evaluator::RecurseLoop(const Stmt& loop, const ScopePtr& scope, const Value& iterable,
                                             int level) {
  const Deeper deeper(*this);
  ENIGMA_RETURN_IF_ERROR(deeper.Check());
  const Within within(*this, scope);
  std::string outer = std::exchange(out_, {});
  const absl::StatusOr<Flow> flow = ExecuteFor(loop, iterable, level);
  std::string text = std::exchange(out_, std::move(outer));
  if (!flow.ok()) return flow.status();
  return runtime_.String(std::move(text));
}

absl::StatusOr<Evaluator::Flow> Evaluator::ExecuteScoped(const Body& body) {
  const Within within(*this, std::make_shared<Scope>(scope_));
  return ExecuteBody(body);
}

absl::StatusOr<Value> Evaluator::Capture(const Body& body) {
  std::string outer = std::exchange(out_, {});
  const absl::StatusOr<Flow> flow = ExecuteScoped(body);
  std::string text = std::exchange(out_, std::move(outer));
  if (!flow.ok()) return flow.status();
  ENIGMA_RETURN_IF_ERROR(runtime_.CheckString(text.size()));
  return runtime_.String(std::move(text));
}

absl::StatusOr<Value> Evaluator::Filtered(const Expr& chain, const Value& text) {
  const Value outer = std::exchange(block_text_, text);
  absl::StatusOr<Value> filtered = Evaluate(chain);
  block_text_ = outer;
  return filtered;
}

absl::Status Evaluator::ExecuteSetBlock(const Stmt& stmt) {
  ENIGMA_ASSIGN_OR_RETURN(Value text, Capture(stmt.bodies[0]));
  if (stmt.expressions[0] != nullptr) {
    ENIGMA_ASSIGN_OR_RETURN(text, Filtered(*stmt.expressions[0], text));
  }
  return Assign(*stmt.targets[0], text);
}

absl::Status Evaluator::ExecuteCall(const Stmt& stmt) {
  const Value caller = Value::FromObject(runtime_.Own<Macro>(*this, stmt.signature, stmt.bodies[0], scope_));
  ENIGMA_ASSIGN_OR_RETURN(const Value text, EvaluateCall(*stmt.expressions[0], &caller));
  return Append(text);
}

absl::StatusOr<Evaluator::Flow> Evaluator::ExecuteWith(const Stmt& stmt) {
  // The values are those of the outer scope, whatever their order.
  auto scope = std::make_shared<Scope>(scope_);
  std::vector<Value> values;
  for (const ExprPtr& expr : stmt.expressions) {
    ENIGMA_ASSIGN_OR_RETURN(Value value, Evaluate(*expr));
    values.push_back(std::move(value));
  }
  const Within within(*this, std::move(scope));
  for (size_t i = 0; i < values.size(); ++i) ENIGMA_RETURN_IF_ERROR(Assign(*stmt.targets[i], values[i]));
  return ExecuteBody(stmt.bodies[0]);
}

absl::Status Evaluator::Assign(const Expr& target, const Value& value) {
  if (target.kind == ExprKind::kName) {
    scope_->values[target.name] = value;
    return absl::OkStatus();
  }
  if (target.kind == ExprKind::kAttribute) {
    const std::string& name = target.children[0]->name;
    const Value* owner = scope_->Find(name);
    Namespace* space = owner != nullptr && owner->IsObject() ? dynamic_cast<Namespace*>(owner->object()) : nullptr;
    if (space == nullptr) {
      return runtime_.At(
          target.at, absl::InvalidArgumentError(absl::StrCat("cannot assign to '", name, ".", target.name, "': '", name,
                                                             "' is no namespace")));
    }
    ENIGMA_RETURN_IF_ERROR(runtime_.CheckItems(space->Content()->size()));
    space->Set(target.name, value);
    return absl::OkStatus();
  }
  ENIGMA_ASSIGN_OR_RETURN(const std::vector<Value> items, Items(runtime_, value));
  if (items.size() != target.children.size()) {
    return runtime_.At(target.at,
                       absl::InvalidArgumentError(absl::StrCat("cannot take ", items.size(), " values apart into ",
                                                               target.children.size(), " names")));
  }
  for (size_t i = 0; i < items.size(); ++i) ENIGMA_RETURN_IF_ERROR(Assign(*target.children[i], items[i]));
  return absl::OkStatus();
}

absl::StatusOr<Value> Evaluator::CallMacro(const Signature& signature, const Body& body, const ScopePtr& closure,
                                           Arguments arguments) {
  const Deeper deeper(*this);
  ENIGMA_RETURN_IF_ERROR(deeper.Check());
  const Within within(*this, std::make_shared<Scope>(closure));
  const std::vector<std::string>& names = signature.parameters;
  const auto fail = [&](const std::string& problem) {
    return absl::InvalidArgumentError(absl::StrCat("macro '", signature.name, "' ", problem));
  };
  const auto scope = scope_;
  for (size_t i = 0; i < std::min(names.size(), arguments.positional.size()); ++i) {
    scope->values[names[i]] = arguments.positional[i];
  }
  std::vector<DictData::Entry> others;
  Value caller = Value::Undefined("no caller is defined");
  for (auto& [name, value] : arguments.named) {
    if (std::find(names.begin(), names.end(), name) != names.end()) {
      if (!scope->values.try_emplace(name, value).second) return fail(absl::StrCat("is given '", name, "' twice"));
    } else if (name == "caller") {
      caller = value;
    } else {
      others.push_back({runtime_.String(name), value});
    }
  }
  if (!others.empty() && !signature.uses_kwargs) {
    return fail(absl::StrCat("has no parameter '", others[0].key.text(), "'"));
  }
  if (arguments.positional.size() > names.size() && !signature.uses_varargs) {
    return fail(absl::StrCat("takes not more than ", names.size(), " arguments"));
  }
  const size_t first_default = names.size() - signature.defaults.size();
  for (size_t i = 0; i < names.size(); ++i) {
    if (scope->values.contains(names[i])) continue;
    if (i < first_default) {
      scope->values[names[i]] = Value::Undefined(absl::StrCat("parameter '", names[i], "' was not provided"));
      continue;
    }
    ENIGMA_ASSIGN_OR_RETURN(scope->values[names[i]], Evaluate(*signature.defaults[i - first_default]));
  }
  if (signature.uses_caller) scope->values.try_emplace("caller", caller);
  if (signature.uses_varargs) {
    std::vector<Value> rest(
        arguments.positional.begin() + static_cast<std::ptrdiff_t>(std::min(names.size(), arguments.positional.size())),
        arguments.positional.end());
    scope->values.try_emplace("varargs", runtime_.Tuple(std::move(rest)));
  }
  if (signature.uses_kwargs) {
    ENIGMA_ASSIGN_OR_RETURN(Value named, runtime_.Dict(std::move(others)));
    scope->values.try_emplace("kwargs", std::move(named));
  }
  std::string outer = std::exchange(out_, {});
  const absl::StatusOr<Flow> flow = ExecuteBody(body);
  std::string text = std::exchange(out_, std::move(outer));
  if (!flow.ok()) return flow.status();
  ENIGMA_RETURN_IF_ERROR(runtime_.CheckString(text.size()));
  return runtime_.String(std::move(text));
}

}  // namespace enigma::engine::jinja
