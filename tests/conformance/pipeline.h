#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "engine/kv_cache/block_table.h"
#include "engine/model/hidden_pool.h"
#include "engine/model/stage.h"
#include "engine/tensor/thread_pool.h"
#include "engine/weights/weight_source.h"

namespace enigma::engine::testing {

// A model cut into stages that hand hidden states to each other in this process, and the block tables of its sequences.
// Dies with a message where a model cannot be loaded or a step fails: a test has nothing to go on with.
class Pipeline {
 public:
  struct Options {
    uint32_t stages = 1;
    int threads = 1;
    uint32_t kv_blocks = 64;
    uint32_t max_rows = 128;
    std::optional<KvType> kv_type = {};  // empty: DefaultKvType
  };
  Pipeline(const std::string& path, const Options& options);

  struct Work {
    int sequence = 0;  // any number; a new one begins an empty sequence
    std::vector<TokenId> tokens;
    bool logits = true;
    uint32_t states = 0;  // of how many of its last tokens the hidden states are wanted
  };
  struct Row {
    std::vector<float> hidden;  // the normed row that the head reads
    std::vector<float> logits;
  };
  // One step of all of them together; a row for each that asks for logits.
  std::vector<Row> Step(const std::vector<Work>& work);
  Row Step(int sequence, std::vector<TokenId> tokens);
  // The hidden states that the last step was asked for, [states, hidden].
  const std::vector<float>& states() const { return states_; }

  // Frees a sequence's blocks, so that later ones write over what it left there.
  void End(int sequence);

  const ModelSpec& spec() const { return stages_.front()->spec(); }
  const std::vector<std::unique_ptr<Stage>>& stages() const { return stages_; }

 private:
  struct Sequence {
    uint32_t tokens = 0;
    std::vector<uint32_t> blocks;
  };
  SequenceRun Extend(const Work& work);

  std::unique_ptr<WeightSource> weights_;
  ThreadPool pool_;
  std::vector<std::unique_ptr<Stage>> stages_;
  BlockAllocator allocator_;
  std::map<int, Sequence> sequences_;
  std::vector<float> states_;
};

// A greedy answer, and the hidden state behind each of its tokens.
struct Transcript {
  std::vector<TokenId> ids;
  std::vector<std::vector<float>> hidden;
};

// Prefills `prompt` in chunks of `chunk` tokens (0: whole), then decodes until there are `count` ids.
Transcript Answer(Pipeline& pipeline, int sequence, const std::vector<TokenId>& prompt, size_t count, size_t chunk);

// The embedding of a text that goes through in chunks of `chunk` tokens (0: whole).
std::vector<float> Embed(Pipeline& pipeline, int sequence, const std::vector<TokenId>& text, Pooling pooling,
                         size_t chunk);

// Index of the largest; the lower of two.
TokenId Likeliest(const std::vector<float>& logits);

}  // namespace enigma::engine::testing
