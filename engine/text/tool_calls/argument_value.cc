#include "engine/text/tool_calls/argument_value.h"

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <string>

#include <absl/strings/str_replace.h>

#include "base/text.h"
#include "engine/text/json_shape.h"
#include "engine/text/tool_calls/call_mark.h"

namespace enigma::engine {
namespace {

using Json = nlohmann::ordered_json;

// Kinds of values, as bits.
using Kinds = uint32_t;
constexpr Kinds kString = 1, kInteger = 2, kFraction = 4, kBoolean = 8, kNull = 16, kObject = 32, kArray = 64;
constexpr Kinds kEvery = 127;

Kinds KindOf(const Json& value) {
  switch (value.type()) {
    case Json::value_t::string:
      return kString;
    case Json::value_t::number_integer:
    case Json::value_t::number_unsigned:
      return kInteger;
    case Json::value_t::number_float: {
      const double number = value.get<double>();
      return std::trunc(number) == number ? kInteger : kFraction;
    }
    case Json::value_t::boolean:
      return kBoolean;
    case Json::value_t::null:
      return kNull;
    case Json::value_t::object:
      return kObject;
    case Json::value_t::array:
      return kArray;
    default:
      return 0;
  }
}

Kinds KindNamed(const Json& named) {
  if (!named.is_string()) return 0;
  const auto& type = named.get_ref<const std::string&>();
  if (type == "string") return kString;
  if (type == "integer") return kInteger;
  if (type == "number") return kInteger | kFraction;
  if (type == "boolean") return kBoolean;
  if (type == "null") return kNull;
  if (type == "object") return kObject;
  return type == "array" ? kArray : 0;
}

// Looks up what one schema says about its values, for one argument. Schemas come from strangers and may refer to
// themselves, so only so much of them is looked at; what lies beyond says nothing. Used by one thread.
class SchemaKinds {
 public:
  explicit SchemaKinds(const Json& root) : root_(root) {}

  // Of the property `name` of `schema`; every kind where nothing is said.
  Kinds OfProperty(const Json& schema, const std::string& name) {
    if (!Enter(schema)) return kEvery;
    Kinds kinds = kEvery;
    const Json* properties = Member(schema, "properties");
    const Json* property = properties == nullptr ? nullptr : Member(*properties, name);
    if (property == nullptr) property = Member(schema, "additionalProperties");
    if (property != nullptr) kinds &= Of(*property);
    return kinds & OfOthers(schema, [&](const Json& other) { return OfProperty(other, name); });
  }

 private:
  // A step is a field of an object that is searched, a value of a list, or a byte of a reference. Few enough to take
  // about a millisecond at most, because a call may have a thousand arguments.
  static constexpr size_t kStepsMax = 50'000;
  // What entering a schema takes, which bounds the depth of the stack.
  static constexpr size_t kEnterSteps = 25;
  static constexpr size_t kReferenceBytesMax = 1024;

  // False, now and from then on, where fewer steps are left.
  bool Spend(size_t steps) {
    const bool enough = steps <= steps_left_;
    steps_left_ = enough ? steps_left_ - steps : 0;
    return enough;
  }

  bool Enter(const Json& schema) { return schema.is_object() && Spend(kEnterSteps); }

  const Json* Member(const Json& object, const std::string& name) {
    if (!object.is_object() || !Spend(1 + object.size())) return nullptr;
    const auto found = object.find(name);
    return found == object.end() ? nullptr : &*found;
  }

  Kinds Of(const Json& schema) {
    if (!Enter(schema)) return kEvery;
    Kinds kinds = OfKeywords(schema);
    if (const Json* values = Member(schema, "enum"); values != nullptr && values->is_array()) {
      Kinds any = 0;
      for (const Json& value : *values) {
        if (!Spend(1)) {
          any = kEvery;
          break;
        }
        any |= KindOf(value);
      }
      kinds &= any;
    }
    if (const Json* value = Member(schema, "const"); value != nullptr) kinds &= KindOf(*value);
    if (const Json* nullable = Member(schema, "nullable"); nullable != nullptr && *nullable == true) kinds |= kNull;
    return kinds & OfOthers(schema, [this](const Json& other) { return Of(other); });
  }

  // What `type` says, or else the keywords that go with one kind only.
  Kinds OfKeywords(const Json& schema) {
    if (const Json* type = Member(schema, "type"); type != nullptr) {
      if (!type->is_array()) return KindNamed(*type);
      Kinds any = 0;
      for (const Json& one : *type) {
        if (!Spend(1)) return kEvery;
        any |= KindNamed(one);
      }
      return any;
    }
    if (Member(schema, "properties") != nullptr || Member(schema, "additionalProperties") != nullptr) return kObject;
    if (Member(schema, "items") != nullptr || Member(schema, "prefixItems") != nullptr) return kArray;
    return kEvery;
  }

  // What the schemas say that `schema` is put together from.
  template <typename Look>
  Kinds OfOthers(const Json& schema, const Look& look) {
    Kinds kinds = kEvery;
    if (const Json* target = Target(Member(schema, "$ref")); target != nullptr) kinds &= look(*target);
    if (const Json* all = Member(schema, "allOf"); all != nullptr && all->is_array()) {
      for (const Json& one : *all) {
        if (!Spend(1)) break;
        kinds &= look(one);
      }
    }
    for (const char* keyword : {"anyOf", "oneOf"}) {
      const Json* alternatives = Member(schema, keyword);
      if (alternatives == nullptr || !alternatives->is_array()) continue;
      Kinds any = 0;
      for (const Json& one : *alternatives) {
        if (!Spend(1)) {
          any = kEvery;
          break;
        }
        any |= look(one);
      }
      kinds &= any;
    }
    return kinds;
  }

  // Where a reference into the schema (#/...) leads.
  const Json* Target(const Json* reference) {
    if (reference == nullptr || !reference->is_string()) return nullptr;
    std::string_view path = reference->get_ref<const std::string&>();
    if (!path.starts_with('#') || path.size() > kReferenceBytesMax || !Spend(path.size())) return nullptr;
    path.remove_prefix(1);
    const Json* at = &root_;
    while (at != nullptr && path.starts_with('/')) {
      path.remove_prefix(1);
      const std::string_view step = path.substr(0, path.find('/'));
      path.remove_prefix(step.size());
      at = Member(*at, absl::StrReplaceAll(ToAbsl(step), {{"~1", "/"}, {"~0", "~"}}));
    }
    return path.empty() ? at : nullptr;
  }

  const Json& root_;
  size_t steps_left_ = kStepsMax;
};

// The value that is written, a discarded one where it is none.
Json Parsed(std::string_view text, Kinds kinds) {
  const std::string_view trimmed = TrimmedToolText(text);
  if ((kinds & kBoolean) != 0 && (trimmed == "True" || trimmed == "False")) return trimmed == "True";
  if ((kinds & kNull) != 0 && trimmed == "None") return nullptr;
  return ParseJsonOfStrangers(trimmed);
}

}  // namespace

Json ArgumentFromText(std::string_view name, std::string_view text, const Json& parameters) {
  const Kinds kinds = SchemaKinds(parameters).OfProperty(parameters, std::string(name));
  if (kinds != kEvery && (kinds & ~kString) != 0) {
    Json value = Parsed(text, kinds);
    if (!value.is_string() && (KindOf(value) & kinds) != 0) return value;
  }
  return std::string(text);
}

}  // namespace enigma::engine
