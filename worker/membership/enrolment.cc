#include "worker/membership/enrolment.h"

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "rpc/certificate.h"
#include "rpc/join.h"
#include "telemetry/log.h"
#include "worker/membership/verdict.h"

namespace enigma::worker {
namespace {

constexpr absl::Duration kPause = absl::Milliseconds(500);
constexpr int kLogEveryAttempts = 20;

absl::StatusOr<NodeIdentity> TryAll(const JoinToken& token, const std::string& node_id, const NodeSource& source,
                                    const Clock& clock) {
  Verdict verdict;
  for (const std::string& endpoint : CoordinatorEndpoints(source)) {
    absl::StatusOr<NodeIdentity> joined =
        JoinCluster(token, {.endpoint = endpoint, .node_id = node_id, .role = Role::kWorker}, clock);
    if (joined.ok()) return joined;
    verdict.Add(joined.status());
  }
  return verdict.Sum();
}

}  // namespace

std::string IdentityPath(const std::string& data_dir) { return data_dir + "/pki/node.pem"; }

absl::StatusOr<NodeIdentity> Enrol(const JoinToken& token, const std::string& identity_path, const NodeSource& source,
                                   const absl::Notification& stopping, const Clock& clock) {
  const std::string node_id = MakeNodeId();
  uint64_t version = 0;
  for (int attempt = 0; !stopping.HasBeenNotified(); ++attempt) {
    const absl::StatusOr<NodeIdentity> joined = TryAll(token, node_id, source, clock);
    if (joined.ok()) {
      ENIGMA_RETURN_IF_ERROR(SaveIdentity(identity_path, *joined));
      LogInfo("joined the cluster as node {}", joined->node_id);
      return joined;
    }
    if (IsFinal(joined.status())) return joined.status();
    if (attempt % kLogEveryAttempts == 0) {
      LogWarn("not joined yet: no coordinator could be reached: {}; trying on", ToString(joined.status().message()));
    }
    version = source.WaitForChange(version, kPause);
  }
  return absl::CancelledError("stopped before it joined a cluster");
}

}  // namespace enigma::worker
