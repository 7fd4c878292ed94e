#include "engine/text/constraint/schema_branches.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/text/constraint/schema_keywords.h"

namespace enigma::engine {
namespace {

constexpr size_t kPathMax = 100;  // references and combinations inside each other; bounds the recursion

}  // namespace

absl::StatusOr<std::vector<Branch>> SchemaBranches::Of(const std::vector<const JsonNode*>& schemas) {
  std::vector<Branch> branches(1);
  for (const JsonNode* schema : schemas) ENIGMA_RETURN_IF_ERROR(Apply(*schema, branches));
  return branches;
}

absl::Status SchemaBranches::CheckOnce(const JsonNode& schema) {
  if (!budget_.Spend(1 + schema.children.size())) return budget_.Exhausted();
  if (!checked_.insert(&schema).second) return absl::OkStatus();
  return CheckKeywords(tree_, schema);
}

absl::Status SchemaBranches::Apply(const JsonNode& schema, std::vector<Branch>& branches) {
  if (schema.kind == JsonNode::Kind::kTrue) return absl::OkStatus();
  if (schema.kind == JsonNode::Kind::kFalse) {
    branches.clear();
    return absl::OkStatus();
  }
  if (!schema.IsObject()) {
    return absl::InvalidArgumentError(
        absl::StrCat(tree_.PathOf(schema), ": a schema must be an object, true or false"));
  }
  ENIGMA_RETURN_IF_ERROR(CheckOnce(schema));
  if (std::find(path_.begin(), path_.end(), &schema) != path_.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat(tree_.PathOf(schema), ": this schema refers to itself without a property or an element between"));
  }
  if (path_.size() >= kPathMax) return budget_.Exhausted();
  // Branches that hold the schema already would gain nothing.
  std::vector<Branch> settled;
  std::vector<Branch> open;
  for (Branch& branch : branches) {
    if (!budget_.Spend(1 + branch.size())) return budget_.Exhausted();
    const bool holds = std::find(branch.begin(), branch.end(), &schema) != branch.end();
    (holds ? settled : open).push_back(std::move(branch));
  }
  if (!open.empty()) {
    path_.push_back(&schema);
    for (Branch& branch : open) branch.push_back(&schema);
    const absl::Status status = ApplyMembers(schema, open);
    path_.pop_back();
    ENIGMA_RETURN_IF_ERROR(status);
  }
  branches = std::move(settled);
  branches.insert(branches.end(), std::make_move_iterator(open.begin()), std::make_move_iterator(open.end()));
  if (branches.size() > budget_.limits().alternatives_max) {
    return absl::ResourceExhaustedError(absl::StrCat(tree_.PathOf(schema), ": more than ",
                                                     budget_.limits().alternatives_max,
                                                     " alternatives for one value after multiplying out"));
  }
  return absl::OkStatus();
}

absl::Status SchemaBranches::ApplyMembers(const JsonNode& schema, std::vector<Branch>& branches) {
  for (size_t i = 0; i < schema.keys.size(); ++i) {
    const JsonNode& value = *schema.children[i];
    switch (KeywordOf(schema.keys[i])) {
      case SchemaKeyword::kRef: {
        const JsonNode* target = tree_.Resolve(std::string_view(value.text).substr(1));
        if (target == nullptr) {
          return absl::InvalidArgumentError(
              absl::StrCat(tree_.PathOf(value), ": there is nothing at '", value.text, "'"));
        }
        ENIGMA_RETURN_IF_ERROR(Apply(*target, branches));
        break;
      }
      case SchemaKeyword::kAllOf:
        for (const JsonNode* part : value.children) ENIGMA_RETURN_IF_ERROR(Apply(*part, branches));
        break;
      case SchemaKeyword::kAnyOf:
      case SchemaKeyword::kOneOf:
        ENIGMA_RETURN_IF_ERROR(ApplyChoice(value, branches));
        break;
      default:
        break;
    }
  }
  return absl::OkStatus();
}

absl::Status SchemaBranches::ApplyChoice(const JsonNode& alternatives, std::vector<Branch>& branches) {
  std::vector<Branch> all;
  for (const JsonNode* alternative : alternatives.children) {
    std::vector<Branch> with = branches;
    uint64_t work = 0;
    for (const Branch& branch : with) work += branch.size() + 1;
    if (!budget_.Spend(work)) return budget_.Exhausted();
    ENIGMA_RETURN_IF_ERROR(Apply(*alternative, with));
    all.insert(all.end(), std::make_move_iterator(with.begin()), std::make_move_iterator(with.end()));
    if (all.size() > budget_.limits().alternatives_max) {
      return absl::ResourceExhaustedError(absl::StrCat(tree_.PathOf(alternatives), ": more than ",
                                                       budget_.limits().alternatives_max,
                                                       " alternatives for one value after multiplying out"));
    }
  }
  branches = std::move(all);
  return absl::OkStatus();
}

}  // namespace enigma::engine
