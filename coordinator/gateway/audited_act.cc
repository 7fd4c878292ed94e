#include "coordinator/gateway/audited_act.h"

#include <utility>

#include "rpc/status_conversion.h"

namespace enigma::coordinator {

grpc::Status RunAudited(const Access& access, AuditLog& audit, const grpc::ServerContext& context, const char* act,
                        std::string object, absl::FunctionRef<absl::Status(std::string& object)> work) {
  const std::string peer = context.peer();
  const absl::StatusOr<Peer> caller = access.ForAdministration(context, peer);
  // The metric of refused calls has it.
  if (absl::IsUnauthenticated(caller.status())) return ToGrpc(caller.status());
  const absl::Status outcome = caller.ok() ? work(object) : caller.status();
  AuditLog::Act done;
  done.peer = peer;
  done.act = act;
  done.object = std::move(object);
  done.outcome = outcome;
  if (caller.ok()) {
    done.node_id = caller->node_id;
    done.role = caller->unproved ? "unproved" : std::string(RoleName(caller->role));
  }
  audit.Record(done);
  return ToGrpc(outcome);
}

}  // namespace enigma::coordinator
