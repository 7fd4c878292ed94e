#pragma once

#include <string>
#include <vector>

#include "engine/text/jinja/evaluator.h"
#include "engine/text/jinja/value.h"

namespace enigma::engine::jinja {

// {% macro %}, and the body of {% call %} as its `caller`.
class Macro : public Object {
 public:
  Macro(Evaluator& evaluator, const Signature& signature, const Body& body, ScopePtr closure)
      : evaluator_(evaluator), signature_(signature), body_(body), closure_(std::move(closure)) {}
  std::string TypeName() const override { return "Macro"; }
  bool Callable() const override { return true; }
  absl::StatusOr<Value> Call(Runtime&, Arguments arguments) override {
    return evaluator_.CallMacro(signature_, body_, closure_, std::move(arguments));
  }
  std::optional<Value> Attribute(Runtime& runtime, std::string_view name) override;

 private:
  Evaluator& evaluator_;
  const Signature& signature_;
  const Body& body_;
  const ScopePtr closure_;
};

// `loop` inside of {% for %}.
class Loop : public Object {
 public:
  Loop(Evaluator& evaluator, const Stmt& stmt, ScopePtr scope, std::vector<Value> items, int level)
      : evaluator_(evaluator), stmt_(stmt), scope_(std::move(scope)), items_(std::move(items)), level_(level) {}
  std::string TypeName() const override { return "LoopContext"; }
  bool Callable() const override { return stmt_.recursive; }
  absl::StatusOr<Value> Call(Runtime& runtime, Arguments arguments) override;
  std::optional<Value> Attribute(Runtime& runtime, std::string_view name) override;

  const std::vector<Value>& items() const { return items_; }
  void MoveTo(size_t index) { index_ = index; }
  // Behind the last item: what it held is not needed any more.
  void End() { items_ = {}; }

  absl::StatusOr<Value> Cycle(Arguments arguments) const;
  absl::StatusOr<Value> Changed(Runtime& runtime, Arguments arguments);

 private:
  Evaluator& evaluator_;
  const Stmt& stmt_;
  const ScopePtr scope_;
  std::vector<Value> items_;
  size_t index_ = 0;
  const int level_;
  Value last_changed_;
  bool any_changed_ = false;
};

// namespace(): the one value that can be changed.
class Namespace : public Object {
 public:
  std::string TypeName() const override { return "Namespace"; }
  std::optional<Value> Attribute(Runtime&, std::string_view name) override;
  const absl::flat_hash_map<std::string, Value>* Content() const override { return &values_; }
  void Set(const std::string& name, Value value) { values_[name] = std::move(value); }

 private:
  absl::flat_hash_map<std::string, Value> values_;
};

// Puts range, dict, namespace, cycler, joiner, raise_exception and strftime_now into the scope.
void AddGlobals(Runtime& runtime, Scope& scope);

}  // namespace enigma::engine::jinja
