#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include <absl/container/flat_hash_map.h>
#include <absl/status/statusor.h>

#include "engine/model/hidden_pool.h"
#include "proto/worker.pb.h"
#include "worker/batching/step_plan.h"

namespace enigma::worker {

// What the last stage does for sequences that want an embedding and no token: pools their hidden states, run by run.
// Not thread-safe; lives on the stage's compute thread.
class StatePooler {
 public:
  // `hidden`: the width of the model's hidden states.
  explicit StatePooler(size_t hidden) : hidden_(hidden) {}

  // InvalidArgument for a pooling that this version does not know. A sequence without pooling is none of its own.
  absl::Status Open(const v1::OpenSequence& open);
  void Close(uint64_t sequence) { sequences_.erase(sequence); }

  // How many of the run's last hidden states it needs; nothing of a sequence that is not its own.
  std::optional<uint32_t> Wants(const PlannedRun& run) const;

  // Those states. With the sequence's last run, fills `event` for the coordinator and gives what to tell the first
  // stage.
  absl::StatusOr<std::optional<SampledToken>> Add(const PlannedRun& run, std::span<const float> states,
                                                  v1::TokenEvent& event);

 private:
  struct Sequence {
    uint32_t epoch = 0;
    engine::HiddenPool pool;
  };
  const size_t hidden_;
  absl::flat_hash_map<uint64_t, Sequence> sequences_;
};

}  // namespace enigma::worker
