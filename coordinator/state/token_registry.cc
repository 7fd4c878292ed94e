#include "coordinator/state/token_registry.h"

#include <vector>

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "coordinator/state/record_json.h"

namespace enigma::coordinator {
namespace {

constexpr char kTokenPrefix[] = "token/";

absl::StatusOr<JoinTokenRecord> TokenFromRecord(std::string_view key, std::string_view record) {
  ENIGMA_ASSIGN_OR_RETURN(const nlohmann::json json, JsonFromRecord(key, record));
  JoinTokenRecord token;
  try {
    json.at("id").get_to(token.token_id);
    const auto verifier = json.at("verifier").get<std::string>();
    if (verifier.size() != 64) return CorruptRecord(key, "the verifier is not 64 hexadecimal digits");
    token.verifier = absl::HexStringToBytes(verifier);
    token.expires = absl::FromUnixMillis(json.at("expires_unix_ms").get<int64_t>());
  } catch (const nlohmann::json::exception& error) {
    return CorruptRecord(key, error.what());
  }
  return token;
}

}  // namespace

absl::Status TokenRegistry::Add(const JoinTokenRecord& record) {
  return store_.Put(absl::StrCat(kTokenPrefix, record.token_id),
                    nlohmann::json{{"id", record.token_id},
                                   {"verifier", absl::BytesToHexString(record.verifier)},
                                   {"expires_unix_ms", absl::ToUnixMillis(record.expires)}}
                        .dump());
}

absl::StatusOr<JoinTokenRecord> TokenRegistry::Find(std::string_view token_id) const {
  const std::string key = absl::StrCat(kTokenPrefix, ToAbsl(token_id));
  const absl::StatusOr<std::string> record = store_.Get(key);
  if (absl::IsNotFound(record.status())) {
    return absl::NotFoundError("this cluster has not made this join token, or it expired long ago");
  }
  ENIGMA_RETURN_IF_ERROR(record.status());
  return TokenFromRecord(key, *record);
}

absl::Status TokenRegistry::RemoveExpired(absl::Time now) {
  std::vector<Store::Write> batch;
  ENIGMA_RETURN_IF_ERROR(store_.Scan(kTokenPrefix, [&](std::string_view key, std::string_view record) -> absl::Status {
    ENIGMA_ASSIGN_OR_RETURN(const JoinTokenRecord token, TokenFromRecord(key, record));
    if (token.expires < now) batch.push_back({std::string(key), std::nullopt});
    return absl::OkStatus();
  }));
  return batch.empty() ? absl::OkStatus() : store_.Apply(batch);
}

}  // namespace enigma::coordinator
