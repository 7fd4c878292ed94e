#include "engine/text/tool_calls/forced_calls.h"

#include <absl/strings/str_cat.h>

namespace enigma::engine {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kCallId[] = "call00000";  // what a form with ids gets for a call that stands alone

Json Required(Json properties) {
  Json names = Json::array();
  for (const auto& [name, schema] : properties.items()) names.push_back(name);
  return {{"type", "object"},
          {"properties", std::move(properties)},
          {"required", std::move(names)},
          {"additionalProperties", false}};
}

// What holds data, not schemas: a "$ref" in there is no reference.
bool HoldsData(const std::string& keyword) {
  return keyword == "const" || keyword == "enum" || keyword == "default" || keyword == "examples";
}

void Move(Json& schema, const std::string& place) {
  if (schema.is_array()) {
    for (Json& item : schema) Move(item, place);
    return;
  }
  if (!schema.is_object()) return;
  for (auto& [key, value] : schema.items()) {
    if (key == "$ref" && value.is_string()) {
      const std::string target = value.get<std::string>();
      if (target.starts_with('#')) value = place + target.substr(1);
    } else if (!HoldsData(key) || value.is_object()) {
      // A property may be called "default": then it is a schema.
      Move(value, place);
    }
  }
}

}  // namespace

Json MovedSchema(const Json& schema, const std::string& place) {
  Json moved = schema;
  Move(moved, place);
  return moved;
}

Json ArgumentsSchema(const Json& function, const std::string& place) {
  const auto parameters = function.find("parameters");
  if (parameters == function.end() || parameters->is_null()) {
    return {{"type", "object"}, {"properties", Json::object()}, {"additionalProperties", false}};
  }
  return MovedSchema(*parameters, place);
}

ForcedCalls PlanForcedCalls(const ToolSyntax& known, const std::vector<Json>& functions, size_t calls_max) {
  ToolSyntax syntax = known;
  // A name in front of the arguments can be given where there is one, but not chosen by a schema. Nor can a schema hold
  // an answer to arguments that are no JSON.
  const bool chosen = syntax.shape == ToolSyntax::Shape::kNamed && functions.size() > 1;
  const bool json = syntax.shape == ToolSyntax::Shape::kObject || syntax.shape == ToolSyntax::Shape::kNamed;
  if (!json || chosen) syntax = ToolSyntax::PlainJson();
  ForcedCalls forced;
  forced.prefill = syntax.begin + syntax.open;
  forced.list = syntax.list;
  forced.wrapped = syntax.wrapped;
  forced.name_key = syntax.name_key;
  forced.arguments_key = syntax.arguments_key;

  Json definitions = Json::object();
  Json alternatives = Json::array();
  for (size_t i = 0; i < functions.size(); ++i) {
    const std::string at = absl::StrCat("tool", i);
    const std::string place = absl::StrCat("#/$defs/", at);
    definitions[at] = ArgumentsSchema(functions[i], place);
    Json arguments = {{"allOf", {{{"type", "object"}}, {{"$ref", place}}}}};
    if (syntax.shape == ToolSyntax::Shape::kNamed) {
      forced.name = functions[i]["name"].get<std::string>();
      forced.prefill += forced.name;
      if (!syntax.before_id.empty()) forced.prefill += syntax.before_id + kCallId;
      forced.prefill += syntax.separator;
      alternatives.push_back(std::move(arguments));
      break;
    }
    Json call =
        Required({{syntax.name_key, {{"const", functions[i]["name"]}}}, {syntax.arguments_key, std::move(arguments)}});
    if (syntax.wrapped) call = Required({{"type", {{"const", "function"}}}, {"function", std::move(call)}});
    alternatives.push_back(std::move(call));
  }
  Json schema = alternatives.size() == 1 ? alternatives[0] : Json{{"anyOf", std::move(alternatives)}};
  if (syntax.list) {
    schema = Json{{"type", "array"}, {"items", std::move(schema)}, {"minItems", 1}, {"maxItems", calls_max}};
  }
  schema["$defs"] = std::move(definitions);
  forced.json_schema = schema.dump(-1, ' ', false, Json::error_handler_t::replace);
  return forced;
}

std::string SchemaOfCallOr(const std::vector<Json>& functions, const std::string& answer_schema) {
  Json schema = Json::parse(PlanForcedCalls(ToolSyntax::PlainJson(), functions, 1).json_schema);
  Json definitions = std::move(schema["$defs"]);
  schema.erase("$defs");
  const Json answer = answer_schema.empty() ? Json{{"type", "object"}} : Json::parse(answer_schema);
  definitions["answer"] = MovedSchema(answer, "#/$defs/answer");
  const Json either = {{"anyOf", {std::move(schema), {{"$ref", "#/$defs/answer"}}}}, {"$defs", std::move(definitions)}};
  return either.dump(-1, ' ', false, Json::error_handler_t::replace);
}

ToolOutput ForcedCallReader::Add(std::string_view text) {
  ToolOutput out;
  for (const char c : text) Read(c, out);
  return out;
}

// The first piece of a call, with its name.
void ForcedCallReader::Open(ToolOutput& out) {
  in_arguments_ = true;
  out.calls.push_back({.call = begun_++, .name = calls_.name.empty() ? name_ : calls_.name, .arguments = ""});
}

void ForcedCallReader::Emit(char c, ToolOutput& out) {
  if (out.calls.empty() || out.calls.back().call != begun_ - 1) {
    out.calls.push_back({.call = begun_ - 1, .name = "", .arguments = ""});
  }
  out.calls.back().arguments += c;
}

void ForcedCallReader::EndString() {
  if (!is_value_) {
    key_ = string_;
  } else if (key_ == calls_.name_key) {
    const Json name = Json::parse("\"" + string_ + "\"", nullptr, /*allow_exceptions=*/false);
    name_ = name.is_string() ? name.get<std::string>() : string_;
  }
}

void ForcedCallReader::ReadString(char c) {
  if (!escaped_ && c == '"') {
    in_string_ = false;
    if (IsCallLevel() && !in_arguments_) EndString();
    return;
  }
  escaped_ = !escaped_ && c == '\\';
  if (IsCallLevel() && !in_arguments_) string_ += c;
}

void ForcedCallReader::Read(char c, ToolOutput& out) {
  const bool bare = !calls_.name.empty();  // the answer is the arguments
  const int arguments_depth = bare ? 0 : 1 + (calls_.list ? 1 : 0) + (calls_.wrapped ? 1 : 0);
  if (in_string_) {
    if (in_arguments_) Emit(c, out);
    return ReadString(c);
  }
  const bool opens = c == '{' || c == '[';
  const bool begins = opens && depth_ == arguments_depth && !in_arguments_ &&
                      (bare ? begun_ == 0 : is_value_ && key_ == calls_.arguments_key);
  if (begins) Open(out);
  if (in_arguments_) Emit(c, out);
  if (c == '"') {
    in_string_ = true;
    escaped_ = false;
    string_.clear();
  } else if (opens) {
    ++depth_;
    if (!in_arguments_) is_value_ = false;
  } else if (c == '}' || c == ']') {
    --depth_;
    if (in_arguments_ && depth_ == arguments_depth) in_arguments_ = false;
  } else if (!in_arguments_ && IsCallLevel()) {
    if (c == ':') is_value_ = true;
    if (c == ',') is_value_ = false;
  }
}

}  // namespace enigma::engine
