#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>

#include "engine/kv_cache/block_table.h"
#include "worker/batching/step_plan.h"
#include "worker/batching/step_policy.h"

namespace enigma::worker {

// The sequences of a replica as its first stage knows them: their tokens, their blocks, how far they are. Forms the
// steps that all stages obey. Not thread-safe; lives on the compute thread of the first stage.
class SequenceBook {
 public:
  struct Options {
    uint32_t kv_blocks = 0;
    uint32_t context = 0;     // longest sequence in tokens
    uint32_t max_rows = 512;  // of one step
    uint32_t max_logit_rows = 128;
    uint32_t stage_count = 1;       // also the most steps in flight
    uint32_t max_sequences = 4096;  // waiting and running
  };
  explicit SequenceBook(const Options& options);

  // Refuses, with numbers, what can never run here: a prompt that is empty or leaves no room for an answer, where one
  // is wanted, more blocks than there are.
  absl::Status Open(v1::OpenSequence open);
  // Forgets a sequence; its blocks are free for the next step. False when it is not here (it may have ended).
  bool Cancel(uint64_t sequence);
  // Tells the stages with the next step that this sequence ends, of which they may know without its having run.
  void Close(uint64_t sequence) { closes_.push_back(sequence); }
  // Forgets all; returns which they were.
  std::vector<uint64_t> CancelAll();

  // The next step, if there is anything to do and fewer steps than stages are in flight.
  std::optional<StepPlan> FormStep();
  // What came of a step. Sequences cancelled meanwhile are skipped. FailedPrecondition when steps come out of order.
  absl::Status Finish(uint64_t step, std::span<const SampledToken> sampled);

  size_t sequences() const { return sequences_.size(); }
  size_t running() const;
  uint64_t preemptions() const { return preemptions_; }  // so far
  uint32_t free_blocks() const { return blocks_.free_count(); }
  uint32_t steps_in_flight() const { return static_cast<uint32_t>(next_step_ - finished_steps_); }

 private:
  struct Sequence {
    uint64_t id = 0;
    std::vector<int32_t> tokens;  // prompt and generated
    std::vector<float> given;     // a row for each of them that is kGivenRow
    uint32_t tokens_most = 0;     // whose keys and values it can ever need
    uint32_t computed = 0;
    std::vector<uint32_t> blocks;
    std::optional<v1::OpenSequence> open;  // until it has travelled with a step
    bool started = false;
    bool pooled = false;  // wants an embedding of its prompt; ends with it
    bool sampling = false;
    bool reset = false;  // was preempted: the next run resets its block table on every stage
  };

  BatchView View() const;
  void Preempt(Sequence& sequence);
  PlannedRun PlanRun(Sequence& sequence, const RunChoice& choice, StepPlan& plan);
  static void AddGiven(const Sequence& sequence, uint32_t first, StepPlan& plan);
  void Forget(uint64_t arrival);

  const Options options_;
  engine::BlockAllocator blocks_;
  std::map<uint64_t, Sequence> sequences_;              // by arrival
  absl::flat_hash_map<uint64_t, uint64_t> arrival_of_;  // by sequence id
  std::vector<uint64_t> closes_;                        // to be told with the next step
  uint64_t next_arrival_ = 0;
  uint64_t next_step_ = 0;
  uint64_t finished_steps_ = 0;
  uint64_t preemptions_ = 0;
};

}  // namespace enigma::worker
