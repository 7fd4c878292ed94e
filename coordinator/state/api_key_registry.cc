#include "coordinator/state/api_key_registry.h"

#include <algorithm>
#include <utility>

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>
#include <openssl/crypto.h>

#include "base/counter_random.h"
#include "base/status_macros.h"
#include "base/text.h"
#include "base/utf8.h"
#include "coordinator/state/priority.h"
#include "coordinator/state/record_json.h"
#include "rpc/digest.h"

namespace enigma::coordinator {
namespace {

constexpr char kKeyPrefix[] = "key/";
constexpr size_t kIdBytes = 6;
constexpr size_t kSecretBytes = 32;
constexpr size_t kHashBytes = 32;
constexpr size_t kIndexBytes = 8;
constexpr size_t kModelBytesMax = 256;
constexpr absl::Duration kForgottenAfter = absl::Hours(24 * 30);

std::string RandomHex(size_t size) {
  std::string bytes(size, '\0');
  SystemRandomBytes(bytes.data(), bytes.size());
  return ToHex(bytes);
}

// Records have 0 for what is not, or never.
int64_t MillisOf(absl::Time time) {
  return time == absl::InfiniteFuture() || time == absl::InfinitePast() ? 0 : absl::ToUnixMillis(time);
}
absl::Time TimeOf(int64_t unix_ms, absl::Time without) {
  return unix_ms == 0 ? without : absl::FromUnixMillis(unix_ms);
}

std::string RecordKey(std::string_view id) { return absl::StrCat(kKeyPrefix, ToAbsl(id)); }

std::string RecordOfKey(const ApiKey& key, absl::Time last_used) {
  return nlohmann::json{{"id", key.id},
                        {"name", key.name},
                        {"secret_sha256", ToHex(key.secret_hash)},
                        {"models", key.models},
                        {"requests_per_minute", key.quota.requests_per_minute},
                        {"tokens_per_minute", key.quota.tokens_per_minute},
                        {"concurrency_max", key.quota.concurrency_max},
                        {"priority_max", std::string(PriorityName(key.quota.priority_max))},
                        {"created_unix_ms", MillisOf(key.created)},
                        {"expires_unix_ms", MillisOf(key.expires)},
                        {"revoked_unix_ms", MillisOf(key.revoked)},
                        {"last_used_unix_ms", MillisOf(last_used)}}
      .dump();
}

absl::StatusOr<ApiKey> KeyFromRecord(std::string_view name, std::string_view record, absl::Time& last_used) {
  ENIGMA_ASSIGN_OR_RETURN(const nlohmann::json json, JsonFromRecord(name, record));
  ApiKey key;
  try {
    json.at("id").get_to(key.id);
    json.at("name").get_to(key.name);
    const auto hash = json.at("secret_sha256").get<std::string>();
    if (hash.size() != 2 * kHashBytes || hash.find_first_not_of("0123456789abcdef") != std::string::npos) {
      return CorruptRecord(name, "secret_sha256 is not 64 hexadecimal digits");
    }
    key.secret_hash = absl::HexStringToBytes(hash);
    json.at("models").get_to(key.models);
    json.at("requests_per_minute").get_to(key.quota.requests_per_minute);
    json.at("tokens_per_minute").get_to(key.quota.tokens_per_minute);
    json.at("concurrency_max").get_to(key.quota.concurrency_max);
    // Absent from records that are older than priorities.
    const auto priority = json.value("priority_max", std::string("any"));
    key.quota.priority_max = ParsePriority(priority).value_or(enigma::v1::PRIORITY_UNSPECIFIED);
    if (priority != PriorityName(key.quota.priority_max)) {
      return CorruptRecord(name, "priority_max is no class of requests");
    }
    key.created = absl::FromUnixMillis(json.at("created_unix_ms").get<int64_t>());
    key.expires = TimeOf(json.at("expires_unix_ms").get<int64_t>(), absl::InfiniteFuture());
    key.revoked = TimeOf(json.at("revoked_unix_ms").get<int64_t>(), absl::InfiniteFuture());
    last_used = TimeOf(json.at("last_used_unix_ms").get<int64_t>(), absl::InfinitePast());
  } catch (const nlohmann::json::exception& error) {
    return CorruptRecord(name, error.what());
  }
  if (RecordKey(key.id) != name) return CorruptRecord(name, "it holds the key of another id");
  return key;
}

bool IsControl(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }

absl::Status CheckText(std::string_view field, std::string_view text, size_t bytes_max) {
  if (text.empty() || text.size() > bytes_max) {
    return absl::InvalidArgumentError(
        absl::StrCat(ToAbsl(field), ": it has ", text.size(), " bytes; 1 to ", bytes_max, " are allowed"));
  }
  if (ValidUtf8Prefix(text) != text.size() || std::any_of(text.begin(), text.end(), &IsControl)) {
    return absl::InvalidArgumentError(absl::StrCat(ToAbsl(field), ": it must be UTF-8 without control characters"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status ApiKeyRegistry::Restore() {
  absl::MutexLock lock(&mutex_);
  return store_.Scan(kKeyPrefix, [this](std::string_view name, std::string_view record) -> absl::Status {
    mutex_.AssertHeld();
    Entry entry;
    ENIGMA_ASSIGN_OR_RETURN(ApiKey key, KeyFromRecord(name, record, entry.last_used));
    entry.last_used_stored = entry.last_used;
    entry.key = std::make_shared<const ApiKey>(std::move(key));
    ids_by_hash_.emplace(entry.key->secret_hash.substr(0, kIndexBytes), entry.key->id);
    const std::string id = entry.key->id;
    keys_.insert_or_assign(id, std::move(entry));
    return absl::OkStatus();
  });
}

absl::Status ApiKeyRegistry::CheckNew(const ApiKey& wanted) const {
  ENIGMA_RETURN_IF_ERROR(CheckText("name", wanted.name, kNameBytesMax));
  if (wanted.models.size() > kModelsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("models: ", wanted.models.size(), " are named; at most ", kModelsMax));
  }
  for (const std::string& model : wanted.models) ENIGMA_RETURN_IF_ERROR(CheckText("models", model, kModelBytesMax));
  if (wanted.expires <= clock_.Now()) return absl::InvalidArgumentError("expires: that time is over");
  for (const auto& [id, entry] : keys_) {
    if (id == wanted.name)
      return absl::AlreadyExistsError(absl::StrCat("name: '", wanted.name, "' is the id of a key"));
    if (entry.key->name != wanted.name || entry.key->is_revoked()) continue;
    return absl::AlreadyExistsError(absl::StrCat("name: there is a key '", wanted.name, "' (", id,
                                                 "); choose another name, or `enigma keys revoke ", id, "` first"));
  }
  if (keys_.size() >= kKeysMax) {
    return absl::ResourceExhaustedError(
        absl::StrCat("there are ", keys_.size(), " keys, which is the limit; revoked and expired ones make room after ",
                     absl::FormatDuration(kForgottenAfter)));
  }
  return absl::OkStatus();
}

absl::StatusOr<ApiKeyRegistry::NewKey> ApiKeyRegistry::Create(ApiKey wanted) {
  const absl::Time now = clock_.Now();
  absl::MutexLock lock(&mutex_);
  std::vector<Store::Write> batch;
  std::vector<std::string> forgotten;
  for (const auto& [id, entry] : keys_) {
    if (std::min(entry.key->expires, entry.key->revoked) > now - kForgottenAfter) continue;
    forgotten.push_back(id);
    batch.push_back({RecordKey(id), std::nullopt});
  }
  if (!batch.empty()) ENIGMA_RETURN_IF_ERROR(store_.Apply(batch));
  for (const std::string& id : forgotten) keys_.erase(id);
  std::erase_if(ids_by_hash_, [this](const auto& entry) {
    mutex_.AssertHeld();
    return !keys_.contains(entry.second);
  });

  ENIGMA_RETURN_IF_ERROR(CheckNew(wanted));
  const std::string secret = absl::StrCat(ToAbsl(kApiKeyPrefix), RandomHex(kSecretBytes));
  do {
    wanted.id = RandomHex(kIdBytes);
  } while (keys_.contains(wanted.id));
  wanted.secret_hash = Sha256(secret);
  wanted.created = now;
  wanted.revoked = absl::InfiniteFuture();
  ENIGMA_RETURN_IF_ERROR(Apply({{RecordKey(wanted.id), RecordOfKey(wanted, absl::InfinitePast())}}));
  const auto key = std::make_shared<const ApiKey>(std::move(wanted));
  keys_.emplace(key->id, Entry{key});
  ids_by_hash_.emplace(key->secret_hash.substr(0, kIndexBytes), key->id);
  return NewKey{key, secret};
}

absl::StatusOr<ApiKeyRegistry::Listed> ApiKeyRegistry::Revoke(std::string_view id_or_name) {
  absl::MutexLock lock(&mutex_);
  auto found = keys_.find(id_or_name);
  if (found == keys_.end()) {
    found = std::find_if(keys_.begin(), keys_.end(), [&](const auto& entry) {
      return entry.second.key->name == id_or_name && !entry.second.key->is_revoked();
    });
  }
  if (found == keys_.end()) {
    return absl::NotFoundError(absl::StrCat("no key has the id '", ToAbsl(id_or_name),
                                            "', and none that is not revoked has that name; ",
                                            "`enigma keys list` shows them"));
  }
  if (found->second.key->is_revoked()) return Listed{found->second.key, found->second.last_used};
  ApiKey key = *found->second.key;
  key.revoked = clock_.Now();
  ENIGMA_RETURN_IF_ERROR(Apply({{RecordKey(key.id), RecordOfKey(key, found->second.last_used)}}));
  found->second.key = std::make_shared<const ApiKey>(std::move(key));
  return Listed{found->second.key, found->second.last_used};
}

absl::StatusOr<ApiKeyPtr> ApiKeyRegistry::Check(std::string_view secret) {
  const std::string hash = Sha256(secret);
  const absl::Time now = clock_.Now();
  absl::MutexLock lock(&mutex_);
  Entry* entry = nullptr;
  const auto [first, last] = ids_by_hash_.equal_range(std::string_view(hash).substr(0, kIndexBytes));
  for (auto at = first; at != last; ++at) {
    Entry& candidate = keys_.find(at->second)->second;
    if (CRYPTO_memcmp(candidate.key->secret_hash.data(), hash.data(), kHashBytes) == 0) entry = &candidate;
  }
  if (entry == nullptr) {
    return absl::UnauthenticatedError(
        "the API key is none of this cluster's; `enigma keys create` makes one, on the coordinator's machine");
  }
  const ApiKey& key = *entry->key;
  if (key.is_revoked()) {
    return absl::UnauthenticatedError(absl::StrCat("the API key '", key.name, "' (", key.id, ") was revoked"));
  }
  if (key.expires <= now) {
    return absl::UnauthenticatedError(
        absl::StrCat("the API key '", key.name, "' (", key.id, ") expired ",
                     absl::FormatDuration(absl::Floor(now - key.expires, absl::Seconds(1))),
                     " ago; `enigma keys create` makes another"));
  }
  entry->last_used = now;
  return entry->key;
}

std::vector<ApiKeyRegistry::Listed> ApiKeyRegistry::List() const {
  std::vector<Listed> list;
  {
    absl::MutexLock lock(&mutex_);
    list.reserve(keys_.size());
    for (const auto& [id, entry] : keys_) list.push_back({entry.key, entry.last_used});
  }
  std::stable_sort(list.begin(), list.end(),
                   [](const Listed& a, const Listed& b) { return a.key->created < b.key->created; });
  return list;
}

bool ApiKeyRegistry::HasUsableKey() const {
  const absl::Time now = clock_.Now();
  absl::MutexLock lock(&mutex_);
  return std::any_of(keys_.begin(), keys_.end(), [now](const auto& entry) {
    return !entry.second.key->is_revoked() && entry.second.key->expires > now;
  });
}

absl::Status ApiKeyRegistry::SaveLastUses() {
  absl::MutexLock lock(&mutex_);
  return Apply({});
}

void ApiKeyRegistry::AddLastUses(std::vector<Store::Write>& batch) {
  for (const auto& [id, entry] : keys_) {
    if (entry.last_used == entry.last_used_stored) continue;
    // Before what the batch changes itself, so that the change stays.
    batch.insert(batch.begin(), {RecordKey(id), RecordOfKey(*entry.key, entry.last_used)});
  }
}

absl::Status ApiKeyRegistry::Apply(std::vector<Store::Write> batch) {
  AddLastUses(batch);
  if (batch.empty()) return absl::OkStatus();
  ENIGMA_RETURN_IF_ERROR(store_.Apply(batch));
  for (auto& [id, entry] : keys_) entry.last_used_stored = entry.last_used;
  return absl::OkStatus();
}

}  // namespace enigma::coordinator
