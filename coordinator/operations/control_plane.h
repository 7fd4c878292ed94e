#pragma once

#include <string>
#include <vector>

#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "base/clock.h"
#include "coordinator/scheduling/dispatcher.h"
#include "coordinator/scheduling/intake.h"
#include "coordinator/scheduling/key_limits.h"
#include "coordinator/scheduling/worker_channels.h"
#include "coordinator/state/api_key_registry.h"
#include "coordinator/state/checked_schemas.h"
#include "coordinator/state/link_table.h"
#include "coordinator/state/model_files.h"
#include "coordinator/state/model_registry.h"
#include "coordinator/state/node_registry.h"
#include "coordinator/state/replica_registry.h"
#include "coordinator/state/token_registry.h"
#include "coordinator/state/wanted_registry.h"
#include "proto/worker.pb.h"
#include "rpc/certificate_authority.h"
#include "telemetry/metrics.h"

namespace enigma::coordinator {

// What operations act on: borrowed, all thread-safe, all outliving every operation. It has no behaviour of its own.
struct ControlPlane {
  const Clock& clock;
  NodeRegistry& nodes;
  ModelRegistry& models;
  ModelFiles& files;
  ReplicaRegistry& replicas;
  WantedRegistry& wanted;
  TokenRegistry& tokens;
  ApiKeyRegistry& keys;
  KeyLimits& key_limits;
  LinkTable& links;
  CheckedSchemas& schemas;
  WorkerChannels& channels;
  Dispatcher& dispatcher;
  Intake& intake;
  Metrics& metrics;
  const CertificateAuthority* authority;  // null with --insecure
  std::string cluster_id;
  std::string version;
  // This coordinator as a source of pieces; filled in when it listens, before the first node attends.
  enigma::v1::NodeAddress self;
  // Held from planning until the replica is in the registry, so that two loads do not count on the same memory.
  absl::Mutex placement_mutex = {};
};

}  // namespace enigma::coordinator
