#pragma once

#include <functional>
#include <memory>
#include <string>

#include <absl/synchronization/mutex.h>

#include "proto/membership.pb.h"
#include "telemetry/metrics.h"
#include "worker/capability/measure.h"
#include "worker/connection/node_channels.h"
#include "worker/layer_cache/layer_cache.h"
#include "worker/layer_cache/piece_fetcher.h"
#include "worker/service/stage_registry.h"
#include "worker/training/incoming_streams.h"
#include "worker/training/rank_registry.h"

namespace enigma::worker {

// What the operations of a worker work on. The members do their own locking; the references outlive the state.
struct WorkerState {
  std::string node_id;
  int threads = 1;
  MemoryLimits memory;
  LayerCache& cache;
  PieceFetcher& fetcher;
  NodeChannels& channels;
  Metrics& metrics;
  std::function<void(const v1::ReplicaFailure&)> on_failure;  // tells the coordinator
  absl::Mutex turn = {};                                      // stages compute one at a time; see StepRunner
  absl::Mutex pixels = {};                                    // encoders decode one at a time; see EncoderStage
  StageRegistry stages = {};
  EncoderRegistry encoders = {};
  IncomingStreams incoming = {};                  // between ranks; see rank_registry.h
  std::unique_ptr<RankRegistry> ranks = nullptr;  // there from the server's start on
};

}  // namespace enigma::worker
