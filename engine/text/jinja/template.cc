#include "engine/text/jinja/template.h"

#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <nlohmann/json.hpp>

#include "base/status_macros.h"
#include "engine/text/jinja/evaluator.h"
#include "engine/text/jinja/objects.h"
#include "engine/text/jinja/parser.h"
#include "engine/text/jinja/token.h"

namespace enigma::engine::jinja {

namespace {

absl::StatusOr<Value> FromJson(Runtime& runtime, const Json& json, int depth) {
  if (depth > kValueDepthMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the messages, tools or other values are nested more than ", kValueDepthMax, " deep"));
  }
  switch (json.type()) {
    case Json::value_t::null:
      return Value::None();
    case Json::value_t::boolean:
      return Value::Bool(json.get<bool>());
    case Json::value_t::number_integer:
      return Value::Int(json.get<int64_t>());
    case Json::value_t::number_unsigned: {
      const uint64_t number = json.get<uint64_t>();
      return number <= INT64_MAX ? Value::Int(static_cast<int64_t>(number)) : Value::Float(static_cast<double>(number));
    }
    case Json::value_t::number_float:
      return Value::Float(json.get<double>());
    case Json::value_t::string:
      return runtime.String(json.get_ref<const std::string&>());
    case Json::value_t::array: {
      ENIGMA_RETURN_IF_ERROR(runtime.CheckItems(json.size()));
      std::vector<Value> items;
      items.reserve(json.size());
      for (const Json& item : json) {
        ENIGMA_ASSIGN_OR_RETURN(Value value, FromJson(runtime, item, depth + 1));
        items.push_back(std::move(value));
      }
      return runtime.List(std::move(items));
    }
    case Json::value_t::object: {
      std::vector<DictData::Entry> entries;
      for (const auto& [name, item] : json.items()) {
        ENIGMA_ASSIGN_OR_RETURN(Value value, FromJson(runtime, item, depth + 1));
        entries.push_back({runtime.String(name), std::move(value)});
      }
      return runtime.Dict(std::move(entries));
    }
    case Json::value_t::binary:
    case Json::value_t::discarded:
      break;
  }
  return absl::InvalidArgumentError("a value given to the chat template is no JSON");
}

}  // namespace

struct Template::Tree {
  Body body;
};

absl::StatusOr<Template> Template::Parse(std::string_view source, const Limits& limits) {
  if (source.size() > limits.template_bytes_max) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the chat template has ", source.size(), " bytes; the most are ", limits.template_bytes_max));
  }
  ENIGMA_ASSIGN_OR_RETURN(std::vector<Token> tokens, Tokenize(source));
  auto tree = std::make_shared<Tree>();
  ENIGMA_ASSIGN_OR_RETURN(tree->body, Parser(std::move(tokens)).Parse());
  return Template(std::move(tree));
}

absl::StatusOr<std::string> Template::Render(const Json& context, const RenderOptions& options) const {
  if (!context.is_object()) return absl::InvalidArgumentError("the variables of a chat template must be an object");
  Runtime runtime(options.limits, options.dialect, options.now != 0 ? options.now : std::time(nullptr));
  auto globals = std::make_shared<Scope>(nullptr);
  AddGlobals(runtime, *globals);
  auto variables = std::make_shared<Scope>(std::move(globals));
  for (const auto& [name, json] : context.items()) {
    ENIGMA_ASSIGN_OR_RETURN(variables->values[name], FromJson(runtime, json, 0));
  }
  return Evaluator(runtime, std::move(variables)).Render(tree_->body);
}

}  // namespace enigma::engine::jinja
