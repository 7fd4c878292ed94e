#include "coordinator/operations/revoke_key.h"

#include "base/status_macros.h"
#include "coordinator/operations/list_keys.h"
#include "telemetry/log.h"

namespace enigma::coordinator {

absl::StatusOr<enigma::v1::RevokeKeyReply> RevokeKey(ControlPlane& plane, std::string_view id_or_name) {
  ENIGMA_ASSIGN_OR_RETURN(const ApiKeyRegistry::Listed revoked, plane.keys.Revoke(id_or_name));
  LogInfo("API key {} ({}) is revoked", revoked.key->name, revoked.key->id);
  enigma::v1::RevokeKeyReply reply;
  *reply.mutable_key() = DescribeKey(plane, revoked);
  return reply;
}

}  // namespace enigma::coordinator
