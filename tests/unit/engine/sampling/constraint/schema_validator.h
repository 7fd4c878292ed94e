#pragma once

#include <algorithm>
#include <regex>
#include <string>

#include <nlohmann/json.hpp>

namespace enigma::testing {

// Why `value` is not what `schema` asks for; empty where it is. Knows what the tests' schemas use, and is written apart
// from the code under test. `root` is what references point into.
inline std::string SchemaViolation(const nlohmann::json& root, const nlohmann::json& schema,
                                   const nlohmann::json& value) {
  using nlohmann::json;
  if (schema.is_boolean()) return schema.get<bool>() ? "" : "nothing is allowed";
  if (schema.contains("$ref")) {
    const std::string problem =
        SchemaViolation(root, root.at(json::json_pointer(schema["$ref"].get<std::string>().substr(1))), value);
    if (!problem.empty()) return problem;
  }
  if (schema.contains("anyOf")) {
    const auto& all = schema["anyOf"];
    if (std::none_of(all.begin(), all.end(),
                     [&](const json& one) { return SchemaViolation(root, one, value).empty(); })) {
      return "no alternative fits " + value.dump();
    }
  }
  if (schema.contains("type")) {
    const std::string type = schema["type"];
    const bool fits = type == "object"    ? value.is_object()
                      : type == "array"   ? value.is_array()
                      : type == "string"  ? value.is_string()
                      : type == "integer" ? value.is_number_integer()
                      : type == "number"  ? value.is_number()
                      : type == "boolean" ? value.is_boolean()
                                          : value.is_null();
    if (!fits) return value.dump() + " is no " + type;
  }
  if (schema.contains("const") && schema["const"] != value) return value.dump() + " is not the constant";
  if (schema.contains("enum") &&
      std::find(schema["enum"].begin(), schema["enum"].end(), value) == schema["enum"].end()) {
    return value.dump() + " is none of the values";
  }
  if (value.is_number()) {
    if (schema.contains("minimum") && value.get<double>() < schema["minimum"].get<double>()) return "too small";
    if (schema.contains("maximum") && value.get<double>() > schema["maximum"].get<double>()) return "too large";
  }
  if (value.is_string()) {
    const std::string text = value;
    const auto length = std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; });
    if (schema.contains("maxLength") && length > schema["maxLength"].get<int64_t>()) return "too long: " + text;
    if (schema.contains("pattern") && !std::regex_search(text, std::regex(schema["pattern"].get<std::string>()))) {
      return "does not match: " + text;
    }
    if (schema.value("format", "") == "date" && !std::regex_match(text, std::regex(R"(\d{4}-[01]\d-[0-3]\d)"))) {
      return "no date: " + text;
    }
  }
  if (value.is_array()) {
    if (schema.contains("minItems") && value.size() < schema["minItems"]) return "too few elements";
    if (schema.contains("maxItems") && value.size() > schema["maxItems"]) return "too many elements";
    for (const json& element : value) {
      if (!schema.contains("items")) break;
      const std::string problem = SchemaViolation(root, schema["items"], element);
      if (!problem.empty()) return problem;
    }
  }
  if (value.is_object()) {
    for (const json& name : schema.value("required", json::array())) {
      if (!value.contains(name.get<std::string>())) return "lacks " + name.dump();
    }
    const json properties = schema.value("properties", json::object());
    for (const auto& [name, member] : value.items()) {
      const json& rule = properties.contains(name)                 ? properties[name]
                         : schema.contains("additionalProperties") ? schema["additionalProperties"]
                                                                   : json(true);
      const std::string problem = SchemaViolation(root, rule, member);
      if (!problem.empty()) return name + ": " + problem;
    }
  }
  return "";
}

}  // namespace enigma::testing
