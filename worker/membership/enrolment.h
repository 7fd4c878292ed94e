#pragma once

#include <string>

#include <absl/status/statusor.h>
#include <absl/synchronization/notification.h>

#include "base/clock.h"
#include "discovery/node_source.h"
#include "rpc/identity.h"
#include "rpc/join_token.h"

namespace enigma::worker {

// Where a worker keeps its identity.
std::string IdentityPath(const std::string& data_dir);

// Joins through whichever coordinator `source` finds, and saves the identity. Waits until one is there. Every final
// reason is a sentence: a token that is wrong or expired, another cluster's coordinator, clocks that differ. Cancelled
// once `stopping` is notified.
absl::StatusOr<NodeIdentity> Enrol(const JoinToken& token, const std::string& identity_path, const NodeSource& source,
                                   const absl::Notification& stopping, const Clock& clock = Clock::System());

}  // namespace enigma::worker
