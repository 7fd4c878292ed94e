#include "engine/training/compare_with_serving.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/kv_cache/block_table.h"
#include "engine/model/stage.h"
#include "engine/text/given_row.h"
#include "engine/weights/weight_source.h"

namespace enigma::engine {
namespace {

absl::Status Compare(std::span<const float> served, std::span<const float> expected, uint32_t position,
                     ServingComparison& comparison) {
  for (size_t i = 0; i < expected.size(); ++i) {
    if (!std::isfinite(expected[i])) {
      return absl::InvalidArgumentError(
          absl::StrCat("the trainer's logit of token ", i, " after position ", position, " is ", expected[i]));
    }
    comparison.largest_logit = std::max(comparison.largest_logit, std::fabs(double{expected[i]}));
    const double difference = std::fabs(double{served[i]} - expected[i]);
    if (difference > comparison.largest_difference) {
      comparison.largest_difference = difference;
      comparison.position = position;
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<ServingComparison> CompareWithServing(const std::string& path, std::span<const TokenId> prompt,
                                                     std::span<const float> expected, ThreadPool& pool,
                                                     std::span<const float> given) {
  ENIGMA_ASSIGN_OR_RETURN(const auto weights, OpenGgufWeights(path));
  const auto tokens = static_cast<uint32_t>(prompt.size());
  Stage::Options options;
  options.kv_blocks = std::max(1U, BlocksFor(tokens));
  options.kv_type = KvType::kF32;
  options.max_rows = 1;
  options.max_logit_rows = 1;
  ENIGMA_ASSIGN_OR_RETURN(const auto stage, Stage::Create(*weights, options, pool));
  const size_t vocab = stage->spec().vocab;
  if (prompt.empty() || expected.size() != prompt.size() * vocab) {
    return absl::InvalidArgumentError(absl::StrCat(path, ": ", expected.size(), " logits are expected of ", tokens,
                                                   " tokens with a vocabulary of ", vocab));
  }
  const size_t hidden = stage->spec().hidden;
  const auto places = static_cast<size_t>(std::count(prompt.begin(), prompt.end(), kGivenRow));
  if (given.size() != places * hidden) {
    return absl::InvalidArgumentError(
        absl::StrCat(path, ": ", given.size(), " values are given for ", places, " rows of ", hidden));
  }
  std::vector<uint32_t> blocks(options.kv_blocks);
  std::iota(blocks.begin(), blocks.end(), 0U);
  ServingComparison comparison;
  for (uint32_t position = 0; position < tokens; ++position) {
    Batch batch;
    batch.runs.push_back({.first = position, .count = 1, .blocks = blocks, .logits = true});
    batch.tokens = {prompt[position]};
    if (prompt[position] == kGivenRow) {
      batch.given = given.first(hidden);
      given = given.subspan(hidden);
    }
    ENIGMA_ASSIGN_OR_RETURN(const Stage::Output output, stage->Forward(batch));
    ENIGMA_RETURN_IF_ERROR(Compare(output.logits, expected.subspan(position * vocab, vocab), position, comparison));
  }
  return comparison;
}

}  // namespace enigma::engine
