#pragma once

#include <memory>
#include <string>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "engine/text/jinja/ast.h"
#include "engine/text/jinja/runtime.h"

namespace enigma::engine::jinja {

// The names of a block, and where to look for the others. shared_ptr: a macro keeps the scope it was defined in alive,
// and may outlive the block by way of a namespace.
struct Scope {
  explicit Scope(std::shared_ptr<Scope> parent_in)
      : parent(std::move(parent_in)), depth(parent == nullptr ? 0 : parent->depth + 1) {}
  const Value* Find(const std::string& name) const;
  std::shared_ptr<Scope> parent;
  int depth;
  absl::flat_hash_map<std::string, Value> values;
};
using ScopePtr = std::shared_ptr<Scope>;

// Walks the tree. One per rendering; the tree must outlive it. Every step is counted, and recursion bounded, by
// Runtime.
class Evaluator {
 public:
  Evaluator(Runtime& runtime, ScopePtr context) : runtime_(runtime), scope_(std::move(context)) {}

  absl::StatusOr<std::string> Render(const Body& body);

  // For the objects that run parts of the tree: macros, and loops that are recursive.
  absl::StatusOr<Value> CallMacro(const Signature& signature, const Body& body, const ScopePtr& closure,
                                  Arguments arguments);
  absl::StatusOr<Value> RecurseLoop(const Stmt& loop, const ScopePtr& scope, const Value& iterable, int level);
  Runtime& runtime() { return runtime_; }

 private:
  enum class Flow { kNext, kBreak, kContinue };
  class Deeper;
  class Within;

  // Statements (evaluate_statements.cc).
  absl::StatusOr<Flow> ExecuteBody(const Body& body);
  absl::StatusOr<Flow> Execute(const Stmt& stmt);
  absl::StatusOr<Flow> ExecuteKind(const Stmt& stmt);
  absl::StatusOr<Flow> ExecuteIf(const Stmt& stmt);
  absl::StatusOr<Flow> ExecuteFor(const Stmt& stmt, const Value& iterable, int level);
  absl::StatusOr<Flow> ExecuteScoped(const Body& body);
  absl::Status ExecuteSetBlock(const Stmt& stmt);
  absl::Status ExecuteCall(const Stmt& stmt);
  absl::StatusOr<Flow> ExecuteWith(const Stmt& stmt);
  absl::StatusOr<std::vector<Value>> LoopItems(const Stmt& stmt, const Value& iterable);
  absl::Status Assign(const Expr& target, const Value& value);
  absl::Status Append(const Value& value);
  absl::Status AppendBytes(std::string_view text);
  // What a body prints, in a scope of its own.
  absl::StatusOr<Value> Capture(const Body& body);
  absl::StatusOr<Value> Filtered(const Expr& chain, const Value& text);

  // Expressions (evaluate_expressions.cc).
  absl::StatusOr<Value> Evaluate(const Expr& expr);
  absl::StatusOr<Value> EvaluateKind(const Expr& expr);
  absl::StatusOr<Value> EvaluateName(const Expr& expr);
  absl::StatusOr<Value> EvaluateItems(const Expr& expr);
  absl::StatusOr<Value> EvaluateDict(const Expr& expr);
  absl::StatusOr<Value> EvaluateSlice(const Expr& expr);
  absl::StatusOr<Value> EvaluateCall(const Expr& expr, const Value* caller = nullptr);
  absl::StatusOr<Value> EvaluateFilter(const Expr& expr);
  absl::StatusOr<Value> EvaluateTest(const Expr& expr);
  absl::StatusOr<Value> EvaluateCompare(const Expr& expr);
  absl::StatusOr<Value> EvaluateConcatenation(const Expr& expr);
  absl::StatusOr<Value> EvaluateTernary(const Expr& expr);
  absl::StatusOr<Value> EvaluateBinary(const Expr& expr);
  absl::StatusOr<Value> EvaluateSubscript(const Expr& expr);
  absl::StatusOr<Arguments> EvaluateArguments(const Expr& expr);

  Runtime& runtime_;
  ScopePtr scope_;
  std::string out_;
  int depth_ = 0;
  Value block_text_;  // what the filters of a block stand over
};

// One level of recursion.
class Evaluator::Deeper {
 public:
  explicit Deeper(Evaluator& evaluator) : evaluator_(evaluator) { ++evaluator_.depth_; }
  ~Deeper() { --evaluator_.depth_; }
  Deeper(const Deeper&) = delete;
  Deeper& operator=(const Deeper&) = delete;
  absl::Status Check() const;

 private:
  Evaluator& evaluator_;
};

// Another scope for as long as it lives.
class Evaluator::Within {
 public:
  Within(Evaluator& evaluator, ScopePtr scope) : evaluator_(evaluator), outer_(std::move(evaluator.scope_)) {
    evaluator_.scope_ = std::move(scope);
  }
  ~Within() { evaluator_.scope_ = std::move(outer_); }
  Within(const Within&) = delete;
  Within& operator=(const Within&) = delete;

 private:
  Evaluator& evaluator_;
  ScopePtr outer_;
};

}  // namespace enigma::engine::jinja
