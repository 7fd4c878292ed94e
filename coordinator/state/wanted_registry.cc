#include "coordinator/state/wanted_registry.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "coordinator/state/record_json.h"

namespace enigma::coordinator {
namespace {

constexpr char kWantedPrefix[] = "wanted/";

std::string KeyOf(uint64_t id) { return absl::StrCat(kWantedPrefix, id); }

std::string RecordOfWanted(const WantedPlacement& wanted) {
  return nlohmann::json{
      {"id", wanted.id}, {"model", wanted.model}, {"options", RecordOf(wanted.options)}, {"nodes", wanted.last_nodes}}
      .dump();
}

}  // namespace

absl::Status WantedRegistry::Restore() {
  absl::MutexLock lock(&mutex_);
  return store_.Scan(kWantedPrefix, [this](std::string_view key, std::string_view value) -> absl::Status {
    mutex_.AssertHeld();
    ENIGMA_ASSIGN_OR_RETURN(const nlohmann::json json, JsonFromRecord(key, value));
    WantedPlacement wanted;
    std::string options;
    try {
      json.at("id").get_to(wanted.id);
      json.at("model").get_to(wanted.model);
      json.at("options").get_to(options);
      json.at("nodes").get_to(wanted.last_nodes);
    } catch (const nlohmann::json::exception& error) {
      return CorruptRecord(key, error.what());
    }
    ENIGMA_RETURN_IF_ERROR(MessageFromRecord(key, options, wanted.options));
    wanted.state_reason = "the coordinator has just started";
    next_id_ = std::max(next_id_, wanted.id + 1);
    const uint64_t id = wanted.id;
    wanted_.insert_or_assign(id, std::move(wanted));
    return absl::OkStatus();
  });
}

uint64_t WantedRegistry::ReserveId() {
  absl::MutexLock lock(&mutex_);
  return next_id_++;
}

absl::Status WantedRegistry::Add(WantedPlacement wanted) {
  absl::MutexLock lock(&mutex_);
  ENIGMA_RETURN_IF_ERROR(store_.Put(KeyOf(wanted.id), RecordOfWanted(wanted)));
  const uint64_t id = wanted.id;
  wanted_.insert_or_assign(id, std::move(wanted));
  return absl::OkStatus();
}

absl::Status WantedRegistry::SetNodes(uint64_t id, std::vector<std::string> nodes) {
  absl::MutexLock lock(&mutex_);
  const auto found = wanted_.find(id);
  if (found == wanted_.end()) return absl::NotFoundError(absl::StrCat("placement ", id, " is not wanted any more"));
  found->second.last_nodes = std::move(nodes);
  found->second.state_reason.clear();
  found->second.unplaceable = false;
  return store_.Put(KeyOf(id), RecordOfWanted(found->second));
}

void WantedRegistry::SetReason(uint64_t id, std::string_view reason) {
  absl::MutexLock lock(&mutex_);
  if (const auto found = wanted_.find(id); found != wanted_.end()) found->second.state_reason = std::string(reason);
}

void WantedRegistry::SetUnplaceable(uint64_t id, std::string_view reason) {
  absl::MutexLock lock(&mutex_);
  const auto found = wanted_.find(id);
  if (found == wanted_.end()) return;
  found->second.state_reason = std::string(reason);
  found->second.unplaceable = true;
}

absl::Status WantedRegistry::KeepForGood(uint64_t id) {
  absl::MutexLock lock(&mutex_);
  const auto found = wanted_.find(id);
  if (found == wanted_.end()) return absl::NotFoundError(absl::StrCat("placement ", id, " is not wanted any more"));
  WantedPlacement kept = found->second;
  kept.options.set_on_demand(false);
  ENIGMA_RETURN_IF_ERROR(store_.Put(KeyOf(id), RecordOfWanted(kept)));
  found->second = std::move(kept);
  return absl::OkStatus();
}

absl::Status WantedRegistry::RemoveModel(std::string_view model) {
  absl::MutexLock lock(&mutex_);
  std::vector<Store::Write> batch;
  for (const auto& [id, wanted] : wanted_) {
    if (wanted.model == model) batch.push_back({KeyOf(id), std::nullopt});
  }
  if (batch.empty()) return absl::OkStatus();
  ENIGMA_RETURN_IF_ERROR(store_.Apply(batch));
  std::erase_if(wanted_, [&](const auto& entry) { return entry.second.model == model; });
  return absl::OkStatus();
}

absl::Status WantedRegistry::Remove(uint64_t id) {
  absl::MutexLock lock(&mutex_);
  if (wanted_.erase(id) == 0) return absl::OkStatus();
  return store_.Delete(KeyOf(id));
}

bool WantedRegistry::Contains(uint64_t id) const {
  absl::MutexLock lock(&mutex_);
  return wanted_.contains(id);
}

std::vector<WantedPlacement> WantedRegistry::List() const {
  absl::MutexLock lock(&mutex_);
  std::vector<WantedPlacement> list;
  list.reserve(wanted_.size());
  for (const auto& entry : wanted_) list.push_back(entry.second);
  return list;
}

}  // namespace enigma::coordinator
