#include "engine/text/jinja/objects.h"

#include <algorithm>

#include <absl/status/status.h>

#include "base/status_macros.h"
#include "engine/text/jinja/parameters.h"
#include "engine/text/jinja/value_compare.h"

namespace enigma::engine::jinja {

namespace {

// loop.cycle and loop.changed.
class LoopMethod : public Object {
 public:
  LoopMethod(Loop& loop, bool cycle) : loop_(loop), cycle_(cycle) {}
  std::string TypeName() const override { return "method of LoopContext"; }
  bool Callable() const override { return true; }
  absl::StatusOr<Value> Call(Runtime& runtime, Arguments arguments) override {
    return cycle_ ? loop_.Cycle(std::move(arguments)) : loop_.Changed(runtime, std::move(arguments));
  }

 private:
  Loop& loop_;
  const bool cycle_;
};

Value Number(size_t value) { return Value::Int(static_cast<int64_t>(value)); }

}  // namespace

std::optional<Value> Macro::Attribute(Runtime& runtime, std::string_view name) {
  if (name == "name") return runtime.String(signature_.name);
  if (name != "arguments") return std::nullopt;
  std::vector<Value> names;
  for (const std::string& parameter : signature_.parameters) names.push_back(runtime.String(parameter));
  return runtime.Tuple(std::move(names));
}

absl::StatusOr<Value> Loop::Call(Runtime&, Arguments arguments) {
  if (!stmt_.recursive) return absl::InvalidArgumentError("loop() needs {% for ... recursive %}");
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("loop", std::move(arguments), {"iterable"}, 1));
  return evaluator_.RecurseLoop(stmt_, scope_, given.At(0), level_ + 1);
}

std::optional<Value> Loop::Attribute(Runtime& runtime, std::string_view name) {
  const size_t size = std::max(items_.size(), index_ + 1);
  if (name == "index") return Number(index_ + 1);
  if (name == "index0") return Number(index_);
  if (name == "revindex") return Number(size - index_);
  if (name == "revindex0") return Number(size - index_ - 1);
  if (name == "first") return Value::Bool(index_ == 0);
  if (name == "last") return Value::Bool(index_ + 1 == size);
  if (name == "length") return Number(items_.size());
  if (name == "depth") return Value::Int(level_ + 1);
  if (name == "depth0") return Value::Int(level_);
  if (name == "previtem") {
    return index_ == 0 || index_ > items_.size() ? Value::Undefined("there is no previous item") : items_[index_ - 1];
  }
  if (name == "nextitem") {
    return index_ + 1 >= items_.size() ? Value::Undefined("there is no next item") : items_[index_ + 1];
  }
  if (name == "cycle" || name == "changed") return Value::FromObject(runtime.Own<LoopMethod>(*this, name == "cycle"));
  return std::nullopt;
}

absl::StatusOr<Value> Loop::Cycle(Arguments arguments) const {
  if (arguments.positional.empty()) return absl::InvalidArgumentError("loop.cycle needs values to cycle through");
  return arguments.positional[index_ % arguments.positional.size()];
}

absl::StatusOr<Value> Loop::Changed(Runtime& runtime, Arguments arguments) {
  Value now = runtime.Tuple(std::move(arguments.positional));
  if (any_changed_) {
    ENIGMA_ASSIGN_OR_RETURN(const bool same, Equal(runtime, now, last_changed_));
    if (same) return Value::Bool(false);
  }
  any_changed_ = true;
  last_changed_ = std::move(now);
  return Value::Bool(true);
}

std::optional<Value> Namespace::Attribute(Runtime&, std::string_view name) {
  const auto it = values_.find(std::string(name));
  return it == values_.end() ? std::nullopt : std::optional<Value>(it->second);
}

}  // namespace enigma::engine::jinja
