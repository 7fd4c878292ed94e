#include "coordinator/operations/list_keys.h"

namespace enigma::coordinator {
namespace {

int64_t MillisOf(absl::Time time) {
  return time == absl::InfiniteFuture() || time == absl::InfinitePast() ? 0 : absl::ToUnixMillis(time);
}

const char* StateOf(const ApiKey& key, absl::Time now) {
  if (key.is_revoked()) return "revoked";
  return key.expires <= now ? "expired" : "active";
}

}  // namespace

enigma::v1::KeyInfo DescribeKey(const ControlPlane& plane, const ApiKeyRegistry::Listed& listed) {
  const ApiKey& key = *listed.key;
  enigma::v1::KeyInfo info;
  info.set_key_id(key.id);
  info.set_name(key.name);
  info.set_state(StateOf(key, plane.clock.Now()));
  for (const std::string& model : key.models) info.add_models(model);
  info.mutable_limits()->set_requests_per_minute(key.quota.requests_per_minute);
  info.mutable_limits()->set_tokens_per_minute(key.quota.tokens_per_minute);
  info.mutable_limits()->set_concurrency_max(key.quota.concurrency_max);
  info.mutable_limits()->set_priority_max(key.quota.priority_max);
  info.set_created_unix_ms(MillisOf(key.created));
  info.set_expires_unix_ms(MillisOf(key.expires));
  info.set_revoked_unix_ms(MillisOf(key.revoked));
  info.set_last_used_unix_ms(MillisOf(listed.last_used));
  info.set_running(plane.key_limits.running(key.id));
  return info;
}

enigma::v1::ListKeysReply ListKeys(const ControlPlane& plane) {
  enigma::v1::ListKeysReply reply;
  for (const ApiKeyRegistry::Listed& listed : plane.keys.List()) *reply.add_keys() = DescribeKey(plane, listed);
  return reply;
}

}  // namespace enigma::coordinator
