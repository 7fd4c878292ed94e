#include "engine/sampling/constraint/constraint_cache.h"

#include "base/status_macros.h"
#include "engine/text/tool_calls/mark_tokens.h"

namespace enigma::engine {

absl::StatusOr<std::shared_ptr<const TokenConstraint>> ConstraintCache::Get(std::string_view schema) {
  std::string key(schema);
  {
    absl::MutexLock lock(&mutex_);
    if (const auto found = entries_.find(key); found != entries_.end()) {
      recent_.splice(recent_.begin(), recent_, found->second);
      return found->second->constraint;
    }
  }
  std::shared_ptr<const Grammar> grammar = Grammar::AnyJsonObject();
  if (!schema.empty()) {
    ENIGMA_ASSIGN_OR_RETURN(grammar, Grammar::FromJsonSchema(schema, options_.limits));
  }
  std::vector<ShownToken> shown;
  if (const TextRule* text = grammar->Text(Grammar::kRoot); text != nullptr) {
    for (const TokenId id : MarkTokens(tokenizer_, text->marks)) {
      shown.push_back({id, tokenizer_.TokenBytes(id, /*render_special=*/true)});
    }
  }
  auto constraint = std::make_shared<const TokenConstraint>(std::move(grammar), trie_, std::move(shown));
  absl::MutexLock lock(&mutex_);
  if (const auto found = entries_.find(key); found != entries_.end()) return found->second->constraint;
  recent_.push_front({key, constraint});
  entries_.emplace(std::move(key), recent_.begin());
  while (recent_.size() > options_.entries_max) {
    entries_.erase(recent_.back().schema);
    recent_.pop_back();
  }
  return constraint;
}

}  // namespace enigma::engine
