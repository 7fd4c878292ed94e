#pragma once

#include <cstdint>
#include <string_view>

#include <absl/status/status.h>

#include "engine/text/constraint/json_tree.h"

namespace enigma::engine {

enum class SchemaKeyword : uint8_t {
  kAnnotation,  // says nothing about which values are valid
  kUnsupported,
  kType,
  kNullable,
  kEnum,
  kConst,
  kRef,
  kAllOf,
  kAnyOf,
  kOneOf,
  kProperties,
  kRequired,
  kAdditionalProperties,
  kItems,
  kPrefixItems,
  kMinItems,
  kMaxItems,
  kMinLength,
  kMaxLength,
  kPattern,
  kFormat,
  kMinimum,
  kMaximum,
  kExclusiveMinimum,
  kExclusiveMaximum,
};

// Of JSON Schema 2020-12, and `nullable` of OpenAPI 3.0.
SchemaKeyword KeywordOf(std::string_view name);

// Sets of JSON types. An integer is a number without a fraction.
using TypeSet = uint8_t;
inline constexpr TypeSet kTypeNull = 1;
inline constexpr TypeSet kTypeBoolean = 2;
inline constexpr TypeSet kTypeInteger = 4;
inline constexpr TypeSet kTypeFraction = 8;  // numbers that are no integers
inline constexpr TypeSet kTypeNumber = kTypeInteger | kTypeFraction;
inline constexpr TypeSet kTypeString = 16;
inline constexpr TypeSet kTypeArray = 32;
inline constexpr TypeSet kTypeObject = 64;
inline constexpr TypeSet kTypeAll = 127;

// 0 for a name that is none of JSON Schema's types.
TypeSet TypeOfName(std::string_view name);
TypeSet TypeOfValue(const JsonNode& value);

// Checks that every keyword of `schema` (an object) is known and its value has the right shape, so that what reads it
// later need not. InvalidArgument names keyword and path.
absl::Status CheckKeywords(const JsonTree& tree, const JsonNode& schema);

}  // namespace enigma::engine
