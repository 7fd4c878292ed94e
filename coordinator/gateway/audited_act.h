#pragma once

#include <string>

#include <absl/functional/function_ref.h>
#include <absl/status/status.h>
#include <grpcpp/server_context.h>

#include "coordinator/gateway/access.h"
#include "coordinator/gateway/audit.h"

namespace enigma::coordinator {

// Runs an act for who may administer, and notes it and how it ended in the audit log. `object` may become more exact by
// the work. Who proves nothing is refused without a line: strangers could fill the disk with them.
grpc::Status RunAudited(const Access& access, AuditLog& audit, const grpc::ServerContext& context, const char* act,
                        std::string object, absl::FunctionRef<absl::Status(std::string& object)> work);

}  // namespace enigma::coordinator
