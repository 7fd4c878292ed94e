#include <array>
#include <ctime>
#include <string>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/text/jinja/objects.h"
#include "engine/text/jinja/operators.h"
#include "engine/text/jinja/parameters.h"
#include "engine/text/jinja/value_text.h"

namespace enigma::engine::jinja {

namespace {

using Function = absl::StatusOr<Value> (*)(Runtime& runtime, Arguments arguments);

class GlobalFunction : public Object {
 public:
  GlobalFunction(const char* name, Function function) : name_(name), function_(function) {}
  std::string TypeName() const override { return absl::StrCat("function ", name_); }
  bool Callable() const override { return true; }
  absl::StatusOr<Value> Call(Runtime& runtime, Arguments arguments) override {
    return function_(runtime, std::move(arguments));
  }

 private:
  const char* const name_;
  const Function function_;
};

absl::StatusOr<Value> Range(Runtime& runtime, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given,
                          Parameters::Bind("range", std::move(arguments), {"start", "stop", "step"}, 1));
  ENIGMA_ASSIGN_OR_RETURN(int64_t start, given.Integer(0));
  ENIGMA_ASSIGN_OR_RETURN(int64_t stop, given.Integer(1));
  ENIGMA_ASSIGN_OR_RETURN(const int64_t step, given.Integer(2, 1));
  for (size_t i = 0; i < 3; ++i) {
    if (given.Has(i) && !given.At(i).IsInteger()) return absl::InvalidArgumentError("range needs integers");
  }
  if (!given.Has(1)) {
    stop = start;
    start = 0;
  }
  if (step == 0) return absl::InvalidArgumentError("range: the step must not be zero");
  // In 128 bits nothing overflows.
  using Wide = __int128;
  const Wide distance = step > 0 ? Wide{stop} - start : Wide{start} - stop;
  const Wide stride = step > 0 ? Wide{step} : -Wide{step};
  const Wide wanted = distance <= 0 ? Wide{0} : (distance + stride - 1) / stride;
  const size_t count = static_cast<size_t>(std::min<Wide>(wanted, INT64_MAX));
  ENIGMA_RETURN_IF_ERROR(runtime.CheckItems(count));
  ENIGMA_RETURN_IF_ERROR(runtime.Work(count / 4));
  std::vector<Value> items;
  items.reserve(count);
  for (size_t i = 0; i < count; ++i) items.push_back(Value::Int(start + static_cast<int64_t>(i) * step));
  return runtime.List(std::move(items));
}

// dict(pairs or dict, name=value, ...)
absl::StatusOr<Value> DictFunction(Runtime& runtime, Arguments arguments) {
  std::vector<DictData::Entry> entries;
  if (arguments.positional.size() > 1) return absl::InvalidArgumentError("dict takes at most one positional argument");
  if (!arguments.positional.empty()) {
    const Value& source = arguments.positional[0];
    if (source.IsDict()) {
      entries = source.dict().entries;
    } else {
      ENIGMA_ASSIGN_OR_RETURN(const std::vector<Value> pairs, Items(runtime, source));
      for (const Value& pair : pairs) {
        if (!pair.IsList() || pair.items().size() != 2) {
          return absl::InvalidArgumentError("dict needs pairs of a key and a value");
        }
        entries.push_back({pair.items()[0], pair.items()[1]});
      }
    }
  }
  for (auto& [name, value] : arguments.named) entries.push_back({runtime.String(name), std::move(value)});
  ENIGMA_RETURN_IF_ERROR(runtime.Work(entries.size()));
  return runtime.Dict(std::move(entries));
}

absl::StatusOr<Value> NamespaceFunction(Runtime& runtime, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Value initial, DictFunction(runtime, std::move(arguments)));
  Namespace* made = runtime.Own<Namespace>();
  for (const auto& entry : initial.dict().entries) {
    ENIGMA_ASSIGN_OR_RETURN(const std::string name, Text(runtime, entry.key));
    made->Set(name, entry.value);
  }
  return Value::FromObject(made);
}

class Cycler : public Object {
 public:
  explicit Cycler(std::vector<Value> items) : items_(std::move(items)) {}
  std::string TypeName() const override { return "Cycler"; }
  std::optional<Value> Attribute(Runtime& runtime, std::string_view name) override;
  Value Next() {
    const size_t at = std::exchange(next_, (next_ + 1) % items_.size());
    return items_[at];
  }
  void Reset() { next_ = 0; }

 private:
  std::vector<Value> items_;
  size_t next_ = 0;
};

class CyclerMethod : public Object {
 public:
  CyclerMethod(Cycler& cycler, bool reset) : cycler_(cycler), reset_(reset) {}
  std::string TypeName() const override { return "method of Cycler"; }
  bool Callable() const override { return true; }
  absl::StatusOr<Value> Call(Runtime&, Arguments) override {
    if (!reset_) return cycler_.Next();
    cycler_.Reset();
    return Value::None();
  }

 private:
  Cycler& cycler_;
  const bool reset_;
};

std::optional<Value> Cycler::Attribute(Runtime& runtime, std::string_view name) {
  if (name == "current") return items_[next_];
  if (name == "next" || name == "reset") return Value::FromObject(runtime.Own<CyclerMethod>(*this, name == "reset"));
  return std::nullopt;
}

absl::StatusOr<Value> CyclerFunction(Runtime& runtime, Arguments arguments) {
  if (arguments.positional.empty()) return absl::InvalidArgumentError("cycler needs values to cycle through");
  return Value::FromObject(runtime.Own<Cycler>(std::move(arguments.positional)));
}

// Empty at its first call, the separator from then on.
class Joiner : public Object {
 public:
  explicit Joiner(Value separator) : separator_(std::move(separator)) {}
  std::string TypeName() const override { return "Joiner"; }
  bool Callable() const override { return true; }
  absl::StatusOr<Value> Call(Runtime& runtime, Arguments) override {
    return std::exchange(used_, true) ? separator_ : runtime.String("");
  }

 private:
  Value separator_;
  bool used_ = false;
};

absl::StatusOr<Value> JoinerFunction(Runtime& runtime, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given, Parameters::Bind("joiner", std::move(arguments), {"sep"}));
  return Value::FromObject(runtime.Own<Joiner>(given.Has(0) ? given.At(0) : runtime.String(", ")));
}

absl::StatusOr<Value> RaiseException(Runtime& runtime, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given,
                          Parameters::Bind("raise_exception", std::move(arguments), {"message"}, 1));
  ENIGMA_ASSIGN_OR_RETURN(const std::string message, Text(runtime, given.At(0)));
  return runtime.Raised(message);
}

absl::StatusOr<Value> StrftimeNow(Runtime& runtime, Arguments arguments) {
  ENIGMA_ASSIGN_OR_RETURN(const Parameters given,
                          Parameters::Bind("strftime_now", std::move(arguments), {"format"}, 1));
  ENIGMA_ASSIGN_OR_RETURN(const std::string format, given.Text(0));
  const std::time_t now = runtime.now();
  std::tm parts{};
  if (format.size() > 256 || localtime_r(&now, &parts) == nullptr) {
    return absl::InvalidArgumentError("strftime_now: the format has more than 256 bytes, or there is no local time");
  }
  // A format may print nothing, which strftime cannot tell from too little room: hence the mark behind it.
  std::array<char, 8192> text;
  const size_t length = std::strftime(text.data(), text.size(), (format + ".").c_str(), &parts);
  if (length == 0) return absl::InvalidArgumentError("strftime_now: the result is too long");
  return runtime.String(std::string(text.data(), length - 1));
}

}  // namespace

void AddGlobals(Runtime& runtime, Scope& scope) {
  constexpr std::pair<const char*, Function> kFunctions[] = {{"range", Range},
                                                             {"dict", DictFunction},
                                                             {"namespace", NamespaceFunction},
                                                             {"cycler", CyclerFunction},
                                                             {"joiner", JoinerFunction},
                                                             {"raise_exception", RaiseException},
                                                             {"strftime_now", StrftimeNow}};
  for (const auto& [name, function] : kFunctions) {
    scope.values[name] = Value::FromObject(runtime.Own<GlobalFunction>(name, function));
  }
}

}  // namespace enigma::engine::jinja
