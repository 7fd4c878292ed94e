#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/kernels/attention.h"
#include "engine/spec/memory_estimate.h"
#include "engine/spec/model_spec.h"
#include "engine/tensor/thread_pool.h"
#include "engine/text/given_row.h"
#include "engine/weights/weight_source.h"

namespace enigma::engine {

// Part of one step: `count` new tokens of one sequence at positions [first, first + count).
struct SequenceRun {
  uint32_t first = 0;
  uint32_t count = 0;
  std::span<const uint32_t> blocks;  // the sequence's block table, long enough for first + count tokens
  bool logits = false;               // the last stage computes logits for the run's last row
  uint32_t states = 0;               // of how many of its last rows the last stage gives the hidden state
};

// A ragged step: runs lie one after another in the rows of `tokens` (first stage) or `hidden` (later stages).
struct Batch {
  std::vector<SequenceRun> runs;
  std::vector<TokenId> tokens;        // [rows]; first stage only
  std::span<const float> hidden;      // [rows, hidden]; later stages only
  std::span<const float> given = {};  // [rows that are kGivenRow, hidden], finite; first stage only
};

// Layers [first, last) of a model on this machine's CPU: the unit that is placed, loaded and run. One thread at a time
// may call Forward. A process that runs a whole model has one stage with all layers.
class Stage {
 public:
  struct Options {
    uint32_t first_layer = 0;
    uint32_t last_layer = 0;  // exclusive; 0: all layers
    uint32_t kv_blocks = 64;  // of 32 tokens each
    uint32_t context = 0;     // longest sequence in tokens; 0: the model's own
    KvType kv_type = KvType::kF16;
    uint32_t max_rows = 512;  // most rows in one step (workspace)
    uint32_t max_logit_rows =
        128;  // most runs with .logits in one step; the last stage keeps a row of vocab floats each
  };
  // Packs the weights of its layers (memory beside the mapped file). Errors name the tensor. ResourceExhausted, with
  // numbers, when the machine has not the memory. `weights` and `pool` must outlive the stage.
  static absl::StatusOr<std::unique_ptr<Stage>> Create(const WeightSource& weights, const Options& options,
                                                       ThreadPool& pool);
  virtual ~Stage() = default;

  // Later stages and tests: hidden states [rows, hidden] after this stage's last layer; valid until the next call.
  // Errors (InvalidArgument) for runs that do not fit the batch, positions beyond the context, token ids beyond the
  // vocab; nothing is changed then. Internal when the result is not finite: the weights are damaged.
  struct Output {
    std::span<const float> hidden;  // all but the last stage: [rows, hidden]
    std::span<const float> logits;  // last stage: [runs with .logits, vocab], in run order
    std::span<const float>
        final_hidden;               // last stage: [runs with .logits, hidden], the normed rows the logits come from
    std::span<const float> states;  // last stage: [sum of .states, hidden], normed likewise, in run order
  };
  virtual absl::StatusOr<Output> Forward(const Batch& batch) = 0;

  virtual const ModelSpec& spec() const = 0;
  virtual bool is_first() const = 0;
  virtual bool is_last() const = 0;
  virtual uint32_t context() const = 0;       // the option's, and no more than kv_blocks hold
  virtual uint64_t weight_bytes() const = 0;  // packed
  virtual uint64_t kv_bytes() const = 0;
  virtual uint64_t workspace_bytes() const = 0;
};

}  // namespace enigma::engine
