#include "coordinator/operations/create_token.h"

#include "base/status_macros.h"
#include "rpc/join_token.h"

namespace enigma::coordinator {

absl::StatusOr<enigma::v1::CreateTokenReply> CreateToken(ControlPlane& plane, absl::Duration valid) {
  if (plane.authority == nullptr) {
    return absl::FailedPreconditionError("this cluster runs with --insecure: workers join it without a token");
  }
  if (valid < absl::ZeroDuration() || valid > absl::Hours(24 * 366)) {
    return absl::InvalidArgumentError("valid_seconds must be 0 (a day) to 31622400 (a year)");
  }
  const absl::Time now = plane.clock.Now();
  const absl::Time expires = now + (valid == absl::ZeroDuration() ? absl::Hours(24) : valid);
  ENIGMA_ASSIGN_OR_RETURN(const NewJoinToken made,
                          MakeJoinToken(plane.authority->cluster_id(), plane.authority->pin(), expires));
  // A good moment to tidy up: tokens are made by people, so this is rare.
  ENIGMA_RETURN_IF_ERROR(plane.tokens.RemoveExpired(now));
  ENIGMA_RETURN_IF_ERROR(plane.tokens.Add(made.record));
  enigma::v1::CreateTokenReply reply;
  reply.set_token(made.token.ToText());
  reply.set_expires_unix_ms(absl::ToUnixMillis(expires));
  return reply;
}

}  // namespace enigma::coordinator
