#include "engine/text/constraint/schema_keywords.h"

#include <algorithm>
#include <utility>

#include <absl/container/flat_hash_map.h>
#include <absl/strings/str_cat.h>

#include "base/text.h"
#include "engine/text/constraint/number_pattern.h"
#include "engine/text/constraint/string_formats.h"

namespace enigma::engine {
namespace {

using Keyword = SchemaKeyword;

constexpr std::pair<std::string_view, Keyword> kKeywords[] = {
    {"type", Keyword::kType},
    {"nullable", Keyword::kNullable},
    {"enum", Keyword::kEnum},
    {"const", Keyword::kConst},
    {"$ref", Keyword::kRef},
    {"allOf", Keyword::kAllOf},
    {"anyOf", Keyword::kAnyOf},
    {"oneOf", Keyword::kOneOf},
    {"properties", Keyword::kProperties},
    {"required", Keyword::kRequired},
    {"additionalProperties", Keyword::kAdditionalProperties},
    {"items", Keyword::kItems},
    {"prefixItems", Keyword::kPrefixItems},
    {"minItems", Keyword::kMinItems},
    {"maxItems", Keyword::kMaxItems},
    {"minLength", Keyword::kMinLength},
    {"maxLength", Keyword::kMaxLength},
    {"pattern", Keyword::kPattern},
    {"format", Keyword::kFormat},
    {"minimum", Keyword::kMinimum},
    {"maximum", Keyword::kMaximum},
    {"exclusiveMinimum", Keyword::kExclusiveMinimum},
    {"exclusiveMaximum", Keyword::kExclusiveMaximum},
    {"$schema", Keyword::kAnnotation},
    {"$id", Keyword::kAnnotation},
    {"$comment", Keyword::kAnnotation},
    {"$defs", Keyword::kAnnotation},
    {"definitions", Keyword::kAnnotation},
    {"$anchor", Keyword::kAnnotation},
    {"$vocabulary", Keyword::kAnnotation},
    {"title", Keyword::kAnnotation},
    {"description", Keyword::kAnnotation},
    {"default", Keyword::kAnnotation},
    {"example", Keyword::kAnnotation},
    {"examples", Keyword::kAnnotation},
    {"deprecated", Keyword::kAnnotation},
    {"readOnly", Keyword::kAnnotation},
    {"writeOnly", Keyword::kAnnotation},
    {"externalDocs", Keyword::kAnnotation},
    {"discriminator", Keyword::kAnnotation},  // OpenAPI: a hint beside anyOf and oneOf
    {"contentEncoding", Keyword::kAnnotation},
    {"contentMediaType", Keyword::kAnnotation},
    {"contentSchema", Keyword::kAnnotation},
};

bool IsCount(const JsonNode& node) {
  return node.IsNumber() && node.text.size() <= 18 && node.text.find_first_not_of("0123456789") == std::string::npos;
}

bool AreStrings(const JsonNode& node) {
  return node.IsArray() &&
         std::all_of(node.children.begin(), node.children.end(), [](const JsonNode* n) { return n->IsString(); });
}

bool IsSchema(const JsonNode& node) { return node.IsObject() || node.IsBool(); }

bool AreSchemas(const JsonNode& node) {
  return std::all_of(node.children.begin(), node.children.end(), [](const JsonNode* n) { return IsSchema(*n); });
}

bool IsType(const JsonNode& node) {
  const auto known = [](const JsonNode* n) { return n->IsString() && TypeOfName(n->text) != 0; };
  if (!node.IsArray()) return known(&node);
  return !node.children.empty() && std::all_of(node.children.begin(), node.children.end(), known);
}

// What the keyword's value must be, where it is not.
const char* ShapeProblem(Keyword keyword, const JsonNode& value) {
  const auto unless = [](bool holds, const char* problem) { return holds ? nullptr : problem; };
  switch (keyword) {
    case Keyword::kType:
      return unless(IsType(value), "must be one of JSON's types, or a list of them");
    case Keyword::kNullable:
      return unless(value.IsBool(), "must be true or false");
    case Keyword::kEnum:
      return unless(value.IsArray() && !value.children.empty(), "must be a list with at least one value");
    case Keyword::kRef:
      return unless(value.IsString() && (value.text == "#" || value.text.starts_with("#/")),
                    "must point into this schema, as #/$defs/NAME does; other references are not supported");
    case Keyword::kAllOf:
    case Keyword::kAnyOf:
    case Keyword::kOneOf:
      return unless(value.IsArray() && !value.children.empty() && AreSchemas(value),
                    "must be a list with at least one schema");
    case Keyword::kProperties:
      return unless(value.IsObject() && AreSchemas(value), "must be an object of schemas");
    case Keyword::kRequired:
      return unless(AreStrings(value), "must be a list of names");
    case Keyword::kAdditionalProperties:
      return unless(IsSchema(value), "must be a schema, true or false");
    case Keyword::kItems:
      return unless(IsSchema(value), "must be a schema, true or false; use prefixItems for a list");
    case Keyword::kPrefixItems:
      return unless(value.IsArray() && AreSchemas(value), "must be a list of schemas");
    case Keyword::kMinItems:
    case Keyword::kMaxItems:
    case Keyword::kMinLength:
    case Keyword::kMaxLength:
      return unless(IsCount(value), "must be a whole number, 0 or more");
    case Keyword::kPattern:
      return unless(value.IsString(), "must be a string");
    case Keyword::kFormat:
      return unless(value.IsString(), "must be a string");
    case Keyword::kMinimum:
    case Keyword::kMaximum:
    case Keyword::kExclusiveMinimum:
    case Keyword::kExclusiveMaximum:
      return unless(value.IsNumber(), "must be a number");
    case Keyword::kConst:
    case Keyword::kAnnotation:
    case Keyword::kUnsupported:
      break;
  }
  return nullptr;
}

// Keywords that constrain nothing with the value given.
bool IsHarmless(std::string_view name, const JsonNode& value) {
  if (name == "uniqueItems") return value.kind == JsonNode::Kind::kFalse;
  return name.starts_with("x-");
}

}  // namespace

SchemaKeyword KeywordOf(std::string_view name) {
  static const auto& table = *[] {
    auto* made = new absl::flat_hash_map<absl::string_view, Keyword>;
    for (const auto& [key, keyword] : kKeywords) made->emplace(ToAbsl(key), keyword);
    return made;
  }();
  const auto found = table.find(ToAbsl(name));
  return found == table.end() ? Keyword::kUnsupported : found->second;
}

TypeSet TypeOfName(std::string_view name) {
  if (name == "null") return kTypeNull;
  if (name == "boolean") return kTypeBoolean;
  if (name == "integer") return kTypeInteger;
  if (name == "number") return kTypeNumber;
  if (name == "string") return kTypeString;
  if (name == "array") return kTypeArray;
  if (name == "object") return kTypeObject;
  return 0;
}

TypeSet TypeOfValue(const JsonNode& value) {
  switch (value.kind) {
    case JsonNode::Kind::kNull:
      return kTypeNull;
    case JsonNode::Kind::kFalse:
    case JsonNode::Kind::kTrue:
      return kTypeBoolean;
    case JsonNode::Kind::kNumber: {
      const auto decimal = Decimal::Parse(value.text);
      return decimal.ok() && decimal->fraction.empty() ? kTypeInteger : kTypeFraction;
    }
    case JsonNode::Kind::kString:
      return kTypeString;
    case JsonNode::Kind::kArray:
      return kTypeArray;
    case JsonNode::Kind::kObject:
      return kTypeObject;
  }
  return 0;
}

absl::Status CheckKeywords(const JsonTree& tree, const JsonNode& schema) {
  for (size_t i = 0; i < schema.keys.size(); ++i) {
    const std::string& name = schema.keys[i];
    const JsonNode& value = *schema.children[i];
    const Keyword keyword = KeywordOf(name);
    if (keyword == Keyword::kUnsupported && !IsHarmless(name, value)) {
      return absl::InvalidArgumentError(
          absl::StrCat(tree.PathOf(schema, name), ": the keyword '", name, "' is not supported"));
    }
    if (const char* problem = ShapeProblem(keyword, value); problem != nullptr) {
      return absl::InvalidArgumentError(absl::StrCat(tree.PathOf(schema, name), ": ", problem));
    }
    if (keyword == Keyword::kFormat && FormatPattern(value.text).empty()) {
      return absl::InvalidArgumentError(absl::StrCat(tree.PathOf(schema, name), ": the format '", value.text,
                                                     "' is not supported; supported: ", ToAbsl(kSupportedFormats)));
    }
  }
  return absl::OkStatus();
}

}  // namespace enigma::engine
