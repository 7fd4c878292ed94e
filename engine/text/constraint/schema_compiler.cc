#include "engine/text/constraint/schema_compiler.h"

#include <algorithm>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/text/constraint/schema_keywords.h"

namespace enigma::engine {
namespace {

constexpr uint64_t kItemsMax = uint64_t{1} << 30;  // as good as no limit
constexpr uint64_t kMinItemsMax = uint64_t{1} << 20;

}  // namespace

absl::StatusOr<std::shared_ptr<const Grammar>> SchemaCompiler::Run() {
  if (const JsonNode* calls = tree_.root().Find("$calls"); calls != nullptr) return RunCalls(*calls);
  ENIGMA_ASSIGN_OR_RETURN(const uint32_t root, SlotFor({&tree_.root()}));
  ENIGMA_RETURN_IF_ERROR(FillSlots());
  return builder_.Finish(root);
}

absl::Status SchemaCompiler::FillSlots() {
  while (!queue_.empty()) {
    const auto [slot, schemas] = std::move(queue_.front());
    queue_.pop_front();
    ENIGMA_RETURN_IF_ERROR(FillSlot(slot, schemas));
  }
  return absl::OkStatus();
}

absl::StatusOr<uint32_t> SchemaCompiler::SlotFor(Schemas schemas) {
  if (!budget_.Spend(1 + schemas.size())) return budget_.Exhausted();
  std::erase_if(schemas, [](const JsonNode* schema) { return schema->kind == JsonNode::Kind::kTrue; });
  Schemas key = schemas;
  std::sort(key.begin(), key.end());
  const auto [found, added] = slots_.try_emplace(std::move(key), 0);
  if (added) {
    found->second = builder_.AddSlot();
    queue_.emplace_back(found->second, std::move(schemas));
  }
  return found->second;
}

absl::Status SchemaCompiler::FillSlot(uint32_t slot, const Schemas& schemas) {
  ENIGMA_ASSIGN_OR_RETURN(const std::vector<Branch> branches, branches_.Of(schemas));
  std::vector<uint32_t> alternatives;
  for (const Branch& branch : branches) {
    Branch key = branch;
    std::sort(key.begin(), key.end());
    if (!budget_.Spend(1 + key.size())) return budget_.Exhausted();
    auto found = rules_.find(key);
    if (found == rules_.end()) {
      ENIGMA_ASSIGN_OR_RETURN(std::vector<uint32_t> rules, RulesOf(branch));
      found = rules_.emplace(std::move(key), std::move(rules)).first;
    }
    alternatives.insert(alternatives.end(), found->second.begin(), found->second.end());
  }
  std::sort(alternatives.begin(), alternatives.end());
  alternatives.erase(std::unique(alternatives.begin(), alternatives.end()), alternatives.end());
  if (alternatives.size() > budget_.limits().alternatives_max || builder_.rule_count() > budget_.limits().rules_max) {
    return budget_.Exhausted();
  }
  for (const uint32_t rule : alternatives) builder_.AddAlternative(slot, rule);
  return absl::OkStatus();
}

absl::StatusOr<std::vector<uint32_t>> SchemaCompiler::RulesOf(const Branch& branch) {
  ENIGMA_ASSIGN_OR_RETURN(const SchemaConstraints constraints, GatherConstraints(tree_, branch, budget_));
  std::vector<uint32_t> rules;
  if (constraints.values) {
    ENIGMA_RETURN_IF_ERROR(AddValues(branch, constraints, rules));
    return rules;
  }
  ENIGMA_RETURN_IF_ERROR(AddSimple(constraints.types, rules));
  if ((constraints.types & kTypeNumber) != 0) ENIGMA_RETURN_IF_ERROR(AddNumber(constraints, rules));
  if ((constraints.types & kTypeString) != 0) ENIGMA_RETURN_IF_ERROR(AddString(constraints, rules));
  if ((constraints.types & kTypeArray) != 0) ENIGMA_RETURN_IF_ERROR(AddArray(branch, constraints, rules));
  if ((constraints.types & kTypeObject) != 0) ENIGMA_RETURN_IF_ERROR(AddObject(branch, constraints, rules));
  return rules;
}

absl::Status SchemaCompiler::AddSimple(TypeSet types, std::vector<uint32_t>& rules) {
  std::vector<std::string> literals;
  if ((types & kTypeNull) != 0) literals.push_back("null");
  if ((types & kTypeBoolean) != 0) literals.insert(literals.end(), {"true", "false"});
  if (literals.empty()) return absl::OkStatus();
  ENIGMA_ASSIGN_OR_RETURN(const uint32_t rule, LiteralRule(std::move(literals)));
  rules.push_back(rule);
  return absl::OkStatus();
}

absl::Status SchemaCompiler::AddArray(const Branch& branch, const SchemaConstraints& constraints,
                                      std::vector<uint32_t>& rules) {
  if (constraints.min_items > kMinItemsMax) return budget_.Exhausted();
  ArrayRule array;
  array.min = static_cast<uint32_t>(constraints.min_items);
  if (constraints.max_items < kItemsMax) array.max = static_cast<uint32_t>(constraints.max_items);
  size_t prefix = 0;
  Schemas items;
  for (const JsonNode* member : branch) {
    const JsonNode* list = member->Find("prefixItems");
    if (list != nullptr) prefix = std::max(prefix, list->children.size());
    if (const JsonNode* others = member->Find("items"); others != nullptr) items.push_back(others);
  }
  for (size_t i = 0; i < prefix; ++i) {
    Schemas element;
    for (const JsonNode* member : branch) {
      const JsonNode* list = member->Find("prefixItems");
      if (list != nullptr && i < list->children.size()) {
        element.push_back(list->children[i]);
      } else if (const JsonNode* others = member->Find("items"); others != nullptr) {
        element.push_back(others);
      }
    }
    ENIGMA_ASSIGN_OR_RETURN(array.prefix.emplace_back(), SlotFor(std::move(element)));
  }
  ENIGMA_ASSIGN_OR_RETURN(array.items, SlotFor(std::move(items)));
  rules.push_back(builder_.AddArray(std::move(array)));
  return absl::OkStatus();
}

absl::Status SchemaCompiler::AddObject(const Branch& branch, const SchemaConstraints& constraints,
                                       std::vector<uint32_t>& rules) {
  std::vector<ObjectRule::Property> properties;
  for (const std::string& name : constraints.property_order) {
    Schemas value;
    for (const JsonNode* member : branch) {
      if (!budget_.Spend(4)) return budget_.Exhausted();
      const JsonNode* described = member->Find("properties");
      const JsonNode* schema = described != nullptr ? described->Find(name) : nullptr;
      if (schema == nullptr) schema = member->Find("additionalProperties");
      if (schema != nullptr) value.push_back(schema);
    }
    ObjectRule::Property& property = properties.emplace_back();
    property.key = EscapeJson(name);
    property.required = constraints.required.contains(name);
    ENIGMA_ASSIGN_OR_RETURN(property.slot, SlotFor(std::move(value)));
  }
  ENIGMA_ASSIGN_OR_RETURN(const uint32_t additional, AdditionalOf(branch, !properties.empty()));
  ENIGMA_ASSIGN_OR_RETURN(const uint32_t rule, ObjectFrom(std::move(properties), additional));
  rules.push_back(rule);
  return absl::OkStatus();
}

absl::StatusOr<uint32_t> SchemaCompiler::AdditionalOf(const Branch& branch, bool has_properties) {
  Schemas schemas;
  bool said = false;
  for (const JsonNode* member : branch) {
    const JsonNode* additional = member->Find("additionalProperties");
    if (additional == nullptr) continue;
    if (additional->kind == JsonNode::Kind::kFalse) return kNoSlot;
    said = true;
    schemas.push_back(additional);
  }
  // JSON Schema allows others unless it is told not to; who describes properties means these.
  if (!said && has_properties) return kNoSlot;
  return SlotFor(std::move(schemas));
}

absl::StatusOr<uint32_t> SchemaCompiler::ObjectFrom(std::vector<ObjectRule::Property> properties, uint32_t additional) {
  uint64_t bytes = 1;
  for (const ObjectRule::Property& property : properties) bytes += property.key.size();
  if (!budget_.TakeStates(bytes)) return budget_.Exhausted();
  return builder_.AddObject(ObjectRule(std::move(properties), additional));
}

absl::StatusOr<std::shared_ptr<const Grammar>> Grammar::FromJsonSchema(std::string_view schema,
                                                                       const ConstraintLimits& limits) {
  ENIGMA_ASSIGN_OR_RETURN(const std::unique_ptr<JsonTree> tree, JsonTree::Parse(schema, limits));
  CompileBudget budget(limits);
  return SchemaCompiler(*tree, budget).Run();
}

std::shared_ptr<const Grammar> Grammar::AnyJsonObject() {
  static const auto& grammar = *new std::shared_ptr<const Grammar>(*FromJsonSchema(R"({"type":"object"})"));
  return grammar;
}

}  // namespace enigma::engine
