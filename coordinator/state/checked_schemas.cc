#include "coordinator/state/checked_schemas.h"

#include "base/text.h"
#include "engine/text/constraint/grammar.h"

namespace enigma::coordinator {
namespace {

constexpr size_t kSchemasMax = 256;
constexpr size_t kBytesMax = size_t{4} << 20;

absl::Status Compile(std::string_view schema) {
  if (schema.empty()) return absl::OkStatus();
  const absl::Status compiled = engine::Grammar::FromJsonSchema(schema).status();
  // Too much work is the schema's fault, too, not that of a busy server.
  return compiled.ok() ? compiled : absl::InvalidArgumentError(compiled.message());
}

}  // namespace

absl::Status CheckedSchemas::Check(std::string_view schema) {
  {
    absl::MutexLock lock(&mutex_);
    if (const auto found = entries_.find(ToAbsl(schema)); found != entries_.end()) {
      recent_.splice(recent_.begin(), recent_, found->second);
      return found->second->status;
    }
  }
  absl::Status status = Compile(schema);
  absl::MutexLock lock(&mutex_);
  if (entries_.contains(ToAbsl(schema))) return status;
  recent_.push_front({std::string(schema), status});
  entries_.emplace(recent_.front().schema, recent_.begin());
  bytes_ += schema.size();
  Forget();
  return status;
}

bool CheckedSchemas::Knows(std::string_view schema) const {
  absl::MutexLock lock(&mutex_);
  return entries_.contains(ToAbsl(schema));
}

void CheckedSchemas::Forget() {
  while (recent_.size() > kSchemasMax || (bytes_ > kBytesMax && recent_.size() > 1)) {
    bytes_ -= recent_.back().schema.size();
    entries_.erase(recent_.back().schema);
    recent_.pop_back();
  }
}

}  // namespace enigma::coordinator
