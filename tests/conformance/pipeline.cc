#include "tests/conformance/pipeline.h"

#include <algorithm>
#include <cstdlib>
#include <iostream>
#include <utility>

namespace enigma::engine::testing {
namespace {

template <typename T>
T ValueOrDie(absl::StatusOr<T> value) {
  if (!value.ok()) {
    std::cerr << value.status() << "\n";
    std::abort();
  }
  return *std::move(value);
}

}  // namespace

Pipeline::Pipeline(const std::string& path, const Options& options)
    : weights_(ValueOrDie(OpenGgufWeights(path))), pool_(options.threads), allocator_(options.kv_blocks) {
  const ModelSpec spec = ValueOrDie(ModelSpecFromGguf(weights_->head()));
  const uint32_t layers = spec.layer_count();
  for (uint32_t i = 0; i < options.stages; ++i) {
    const Stage::Options stage{.first_layer = layers * i / options.stages,
                               .last_layer = layers * (i + 1) / options.stages,
                               .kv_blocks = options.kv_blocks,
                               .context = 0,
                               .kv_type = options.kv_type.value_or(DefaultKvType(weights_->head())),
                               .max_rows = options.max_rows,
                               .max_logit_rows = options.max_rows};
    stages_.push_back(ValueOrDie(Stage::Create(*weights_, stage, pool_)));
  }
}

SequenceRun Pipeline::Extend(const Work& work) {
  Sequence& sequence = sequences_[work.sequence];
  const auto count = static_cast<uint32_t>(work.tokens.size());
  const SequenceRun run{
      .first = sequence.tokens, .count = count, .blocks = {}, .logits = work.logits, .states = work.states};
  sequence.tokens += count;
  while (sequence.blocks.size() < BlocksFor(sequence.tokens)) {
    const auto block = allocator_.Allocate();
    if (!block) {
      std::cerr << "pipeline: out of KV blocks\n";
      std::abort();
    }
    sequence.blocks.push_back(*block);
  }
  return run;
}

std::vector<Pipeline::Row> Pipeline::Step(const std::vector<Work>& work) {
  Batch batch;
  for (const Work& item : work) {
    batch.runs.push_back(Extend(item));
    batch.runs.back().blocks = sequences_[item.sequence].blocks;
    batch.tokens.insert(batch.tokens.end(), item.tokens.begin(), item.tokens.end());
  }
  Stage::Output output;
  std::vector<float> wire;
  for (const auto& stage : stages_) {
    output = ValueOrDie(stage->Forward(batch));
    wire.assign(output.hidden.begin(), output.hidden.end());
    batch.tokens.clear();
    batch.hidden = wire;
  }
  states_.assign(output.states.begin(), output.states.end());
  std::vector<Row> rows;
  const size_t hidden = spec().hidden;
  const size_t vocab = spec().vocab;
  for (size_t i = 0; i < output.logits.size() / vocab; ++i) {
    const auto h = output.final_hidden.subspan(i * hidden, hidden);
    const auto l = output.logits.subspan(i * vocab, vocab);
    rows.push_back({{h.begin(), h.end()}, {l.begin(), l.end()}});
  }
  return rows;
}

Pipeline::Row Pipeline::Step(int sequence, std::vector<TokenId> tokens) {
  return Step({{.sequence = sequence, .tokens = std::move(tokens), .logits = true}}).at(0);
}

void Pipeline::End(int sequence) {
  for (const uint32_t block : sequences_[sequence].blocks) allocator_.Free(block);
  sequences_.erase(sequence);
}

Transcript Answer(Pipeline& pipeline, int sequence, const std::vector<TokenId>& prompt, size_t count, size_t chunk) {
  if (chunk == 0) chunk = prompt.size();
  Pipeline::Row row;
  for (size_t begin = 0; begin < prompt.size(); begin += chunk) {
    const size_t end = std::min(prompt.size(), begin + chunk);
    row = pipeline.Step(sequence,
                        {prompt.begin() + static_cast<ptrdiff_t>(begin), prompt.begin() + static_cast<ptrdiff_t>(end)});
  }
  Transcript transcript;
  while (true) {
    transcript.ids.push_back(Likeliest(row.logits));
    transcript.hidden.push_back(row.hidden);
    if (transcript.ids.size() == count) return transcript;
    row = pipeline.Step(sequence, {transcript.ids.back()});
  }
}

std::vector<float> Embed(Pipeline& pipeline, int sequence, const std::vector<TokenId>& text, Pooling pooling,
                         size_t chunk) {
  if (chunk == 0) chunk = text.size();
  HiddenPool pool(pooling, static_cast<uint32_t>(text.size()), pipeline.spec().hidden);
  for (size_t begin = 0; begin < text.size(); begin += chunk) {
    const size_t end = std::min(text.size(), begin + chunk);
    const auto first = static_cast<uint32_t>(begin);
    const auto count = static_cast<uint32_t>(end - begin);
    pipeline.Step(
        {{.sequence = sequence,
          .tokens = {text.begin() + static_cast<ptrdiff_t>(begin), text.begin() + static_cast<ptrdiff_t>(end)},
          .logits = false,
          .states = pool.Wants(first, count)}});
    if (const absl::Status added = pool.Add(first, count, pipeline.states()); !added.ok()) {
      std::cerr << added << "\n";
      std::abort();
    }
  }
  return pool.Embedding();
}

TokenId Likeliest(const std::vector<float>& logits) {
  return static_cast<TokenId>(std::max_element(logits.begin(), logits.end()) - logits.begin());
}

}  // namespace enigma::engine::testing
