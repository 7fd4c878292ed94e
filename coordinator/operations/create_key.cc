#include "coordinator/operations/create_key.h"

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "coordinator/operations/list_keys.h"
#include "telemetry/log.h"

namespace enigma::coordinator {
namespace {

constexpr int64_t kValidSecondsMax = int64_t{10} * 366 * 24 * 3600;  // ten years

}  // namespace

absl::StatusOr<enigma::v1::CreateKeyReply> CreateKey(ControlPlane& plane, const enigma::v1::CreateKeyRequest& request) {
  if (request.valid_seconds() < 0 || request.valid_seconds() > kValidSecondsMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("valid_seconds: it must be 0 (for ever) to ", kValidSecondsMax, " (ten years)"));
  }
  ApiKey wanted;
  wanted.name = request.name();
  wanted.models.assign(request.models().begin(), request.models().end());
  wanted.quota = {request.limits().requests_per_minute(), request.limits().tokens_per_minute(),
                  request.limits().concurrency_max(), request.limits().priority_max()};
  if (!enigma::v1::Priority_IsValid(wanted.quota.priority_max)) {
    return absl::InvalidArgumentError(absl::StrCat("priority_max: ", wanted.quota.priority_max, " is no class"));
  }
  if (request.valid_seconds() > 0) wanted.expires = plane.clock.Now() + absl::Seconds(request.valid_seconds());
  ENIGMA_ASSIGN_OR_RETURN(const ApiKeyRegistry::NewKey made, plane.keys.Create(std::move(wanted)));
  LogInfo("API key {} ({}) is made", made.key->name, made.key->id);
  enigma::v1::CreateKeyReply reply;
  *reply.mutable_key() = DescribeKey(plane, {made.key, absl::InfinitePast()});
  reply.set_secret(made.secret);
  for (const std::string& model : made.key->models) {
    if (!plane.models.Find(model).ok()) reply.add_unknown_models(model);
  }
  return reply;
}

}  // namespace enigma::coordinator
