#pragma once

#include <gtest/gtest.h>

#include "base/clock.h"
#include "coordinator/operations/control_plane.h"
#include "coordinator/store/memory_store.h"

namespace enigma::coordinator {

// A control plane that knows nothing and nobody, for tests of parts that are given one.
class BarePlaneTest : public ::testing::Test {
 protected:
  const Clock& clock_ = Clock::System();
  MemoryStore store_;
  Metrics metrics_;
  NodeRegistry nodes_{store_, clock_};
  ModelRegistry models_{store_};
  ModelFiles files_;
  ReplicaRegistry replicas_{store_};
  WantedRegistry wanted_{store_};
  TokenRegistry tokens_{store_};
  ApiKeyRegistry keys_{store_, clock_};
  KeyLimits key_limits_{clock_};
  LinkTable links_;
  CheckedSchemas schemas_;
  WorkerChannels channels_{nullptr};
  Dispatcher dispatcher_{Dispatcher::Options(), metrics_};
  Intake intake_;
  ControlPlane plane_{clock_,   nodes_,      models_, files_,   replicas_, wanted_,     tokens_,
                      keys_,    key_limits_, links_,  schemas_, channels_, dispatcher_, intake_,
                      metrics_, nullptr,     "",      "",       {}};
};

}  // namespace enigma::coordinator
