#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/corpus/packing.h"
#include "engine/corpus/picture_set.h"
#include "engine/corpus/slot_order.h"
#include "engine/corpus/token_set.h"
#include "engine/spec/training_config.h"

namespace enigma::engine {

// What is computed as one: pieces of documents, one behind the other, none of which sees another.
struct SlotBatch {
  std::vector<int32_t> tokens;
  std::vector<int32_t> targets;     // the token that follows; -1 where it is not to be learned
  std::vector<uint32_t> positions;  // from 0 in every piece
  std::vector<uint32_t> starts;     // where each piece begins, and the number of tokens: pieces + 1
  uint64_t trained = 0;             // targets that are not -1
  std::vector<uint64_t> pictures;   // of each piece, where the corpus has any; their rows are kGivenRow in `tokens`
};

// The batches of a training run. What a slot of a step holds is a pure function of token set, options, step and slot:
// every rank finds the same without a word, and a run goes on anywhere without a state. Immutable, thread-safe.
class SlotLoader {
 public:
  struct Options {
    uint32_t context = 0;             // tokens of a sequence, at most
    uint32_t sequences_per_step = 0;  // of the global batch
    uint32_t slots = 0;               // that it is cut into, each of whole sequences
    uint64_t seed = 0;
    uint32_t picture_rows = 0;   // of every document are a picture's, where the corpus has pictures
    uint32_t picture_token = 0;  // that holds their places
  };

  // InvalidArgument: an option is 0 or beyond all measure, there are more slots than sequences, or the set has nothing
  // to train on; with `pictures`, there is not one for each document, or a document has not their rows, or is longer
  // than the context.
  static absl::StatusOr<SlotLoader> Create(std::shared_ptr<const TokenSet> set, const Options& options,
                                           std::shared_ptr<const PictureSet> pictures = nullptr);

  // `slot` below Options::slots. A step larger than the corpus wraps around.
  SlotBatch Load(uint64_t step, uint32_t slot) const;
  // Epochs that lie behind when `step` steps are done.
  double Epoch(uint64_t step) const { return order_.Epoch(step); }

  // The validation part, once, in batches of the size of the largest slot; 0 where there is none.
  uint32_t validation_slots() const;
  SlotBatch LoadValidation(uint32_t index) const;

  const Options& options() const { return options_; }
  const PictureSet* pictures() const { return pictures_.get(); }     // null where there are none
  uint64_t sequences() const { return training_.sequences.size(); }  // of an epoch
  const PackingCounts& training_counts() const { return training_.counts; }
  const PackingCounts& validation_counts() const { return validation_.counts; }

 private:
  SlotLoader(std::shared_ptr<const TokenSet> set, std::shared_ptr<const PictureSet> pictures, const Options& options,
             Packing training, Packing validation);
  void Append(const Packing& packing, const Sequence& sequence, SlotBatch& batch) const;

  std::shared_ptr<const TokenSet> set_;
  std::shared_ptr<const PictureSet> pictures_;
  Options options_;
  Packing training_;
  Packing validation_;
  SlotOrder order_;
};

// How a job's configuration has its batches cut.
SlotLoader::Options SlotOptionsOf(const TrainingConfig& config);

}  // namespace enigma::engine
