#include "engine/text/constraint/schema_constraints.h"

#include <algorithm>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/text/constraint/string_formats.h"

namespace enigma::engine {
namespace {

using Keyword = SchemaKeyword;

uint64_t CountOf(const JsonNode& node) { return std::stoull(node.text); }  // checked to be at most 18 digits

TypeSet TypesOf(const JsonNode& type) {
  if (type.IsString()) return TypeOfName(type.text);
  TypeSet types = 0;
  for (const JsonNode* name : type.children) types = static_cast<TypeSet>(types | TypeOfName(name->text));
  return types;
}

// The type that a keyword speaks of; 0 for those that speak of all.
TypeSet TypeImpliedBy(Keyword keyword) {
  switch (keyword) {
    case Keyword::kProperties:
    case Keyword::kRequired:
    case Keyword::kAdditionalProperties:
      return kTypeObject;
    case Keyword::kItems:
    case Keyword::kPrefixItems:
    case Keyword::kMinItems:
    case Keyword::kMaxItems:
      return kTypeArray;
    case Keyword::kMinLength:
    case Keyword::kMaxLength:
    case Keyword::kPattern:
    case Keyword::kFormat:
      return kTypeString;
    case Keyword::kMinimum:
    case Keyword::kMaximum:
    case Keyword::kExclusiveMinimum:
    case Keyword::kExclusiveMaximum:
      return kTypeNumber;
    default:
      return 0;
  }
}

class Gatherer {
 public:
  Gatherer(const JsonTree& tree, CompileBudget& budget) : tree_(tree), budget_(budget) {}

  absl::StatusOr<SchemaConstraints> Run(const Branch& branch) {
    bool typed = false;
    TypeSet implied = 0;
    for (const JsonNode* member : branch) {
      TypeSet types = kTypeAll;
      bool nullable = false;
      for (size_t i = 0; i < member->keys.size(); ++i) {
        if (!budget_.Spend(1)) return budget_.Exhausted();
        const JsonNode& value = *member->children[i];
        const Keyword keyword = KeywordOf(member->keys[i]);
        implied = static_cast<TypeSet>(implied | TypeImpliedBy(keyword));
        if (keyword == Keyword::kType) {
          types = TypesOf(value);
          typed = true;
        } else if (keyword == Keyword::kNullable) {
          nullable = value.kind == JsonNode::Kind::kTrue;
        } else {
          ENIGMA_RETURN_IF_ERROR(Take(keyword, value));
        }
      }
      if (nullable) types = static_cast<TypeSet>(types | kTypeNull);
      found_.types = static_cast<TypeSet>(found_.types & types);
    }
    // Names that are required but described nowhere come last.
    for (const std::string& name : required_order_) AddProperty(name);
    if (!typed && implied != 0 && !found_.values) found_.types = implied;
    return std::move(found_);
  }

 private:
  absl::Status Take(Keyword keyword, const JsonNode& value) {
    switch (keyword) {
      case Keyword::kEnum:
        return KeepValues(value.children);
      case Keyword::kConst:
        return KeepValues({&value});
      case Keyword::kMinLength:
        found_.min_length = std::max(found_.min_length, CountOf(value));
        break;
      case Keyword::kMaxLength:
        found_.max_length = std::min(found_.max_length, CountOf(value));
        break;
      case Keyword::kPattern:
        AddPattern(value.text, value);
        break;
      case Keyword::kFormat:
        AddPattern(std::string(FormatPattern(value.text)), value);
        break;
      case Keyword::kMinItems:
        found_.min_items = std::max(found_.min_items, CountOf(value));
        break;
      case Keyword::kMaxItems:
        found_.max_items = std::min(found_.max_items, CountOf(value));
        break;
      case Keyword::kMinimum:
      case Keyword::kMaximum:
      case Keyword::kExclusiveMinimum:
      case Keyword::kExclusiveMaximum:
        return TakeBound(keyword, value);
      case Keyword::kProperties:
        found_.constrains_inside = true;
        if (!budget_.Spend(value.keys.size())) return budget_.Exhausted();
        for (const std::string& key : value.keys) AddProperty(key);
        break;
      case Keyword::kRequired:
        found_.constrains_inside = true;
        for (const JsonNode* name : value.children) {
          if (!budget_.Spend(1)) return budget_.Exhausted();
          found_.required.insert(name->text);
          required_order_.push_back(name->text);
        }
        break;
      case Keyword::kAdditionalProperties:
      case Keyword::kItems:
      case Keyword::kPrefixItems:
        found_.constrains_inside = true;
        break;
      default:
        break;
    }
    return absl::OkStatus();
  }

  void AddProperty(const std::string& key) {
    if (known_.insert(key).second) found_.property_order.push_back(key);
  }

  void AddPattern(std::string pattern, const JsonNode& place) {
    if (std::find(found_.patterns.begin(), found_.patterns.end(), pattern) != found_.patterns.end()) return;
    found_.patterns.push_back(std::move(pattern));
    found_.pattern_places.push_back(&place);
  }

  absl::Status TakeBound(Keyword keyword, const JsonNode& value) {
    auto decimal = Decimal::Parse(value.text);
    if (!decimal.ok()) {
      return absl::InvalidArgumentError(absl::StrCat(tree_.PathOf(value), ": ", decimal.status().message()));
    }
    const bool low = keyword == Keyword::kMinimum || keyword == Keyword::kExclusiveMinimum;
    const bool exclusive = keyword == Keyword::kExclusiveMinimum || keyword == Keyword::kExclusiveMaximum;
    NumberBounds::Bound bound{*std::move(decimal), exclusive};
    if (low) {
      found_.bounds.RaiseLow(std::move(bound));
    } else {
      found_.bounds.LowerHigh(std::move(bound));
    }
    return absl::OkStatus();
  }

  absl::Status KeepValues(const std::vector<const JsonNode*>& values) {
    absl::flat_hash_set<std::string> texts;
    for (const JsonNode* value : values) {
      std::string text = CompactJson(*value);
      if (!budget_.Spend(1 + text.size() / 8)) return budget_.Exhausted();
      texts.insert(std::move(text));
    }
    if (!found_.values) {
      found_.values = values;
    } else {
      std::erase_if(*found_.values, [&](const JsonNode* value) { return !texts.contains(CompactJson(*value)); });
    }
    return absl::OkStatus();
  }

  const JsonTree& tree_;
  CompileBudget& budget_;
  SchemaConstraints found_;
  absl::flat_hash_set<std::string> known_;
  std::vector<std::string> required_order_;
};

}  // namespace

absl::StatusOr<SchemaConstraints> GatherConstraints(const JsonTree& tree, const Branch& branch, CompileBudget& budget) {
  return Gatherer(tree, budget).Run(branch);
}

}  // namespace enigma::engine
