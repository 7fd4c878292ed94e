#include "engine/model/batch_checks.h"

#include <algorithm>
#include <cmath>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"

namespace enigma::engine {
namespace {

absl::Status CheckRun(const SequenceRun& run, size_t index, const BatchLimits& limits) {
  const auto refuse = [index](const auto&... what) {
    return absl::InvalidArgumentError(absl::StrCat("batch: run ", index, " ", what...));
  };
  if (run.count == 0) return refuse("is empty");
  if (run.states > run.count) return refuse("asks for ", run.states, " hidden states and has ", run.count, " rows");
  const uint64_t end = uint64_t{run.first} + run.count;
  if (end > limits.context) return refuse("ends at position ", end, ", the context is ", limits.context, " tokens");
  const uint64_t needed = (end + kKvBlockTokens - 1) / kKvBlockTokens;
  if (run.blocks.size() < needed) return refuse("has ", run.blocks.size(), " KV blocks, needs ", needed);
  for (uint64_t i = 0; i < needed; ++i) {
    if (run.blocks[i] >= limits.kv_blocks) {
      return refuse("names KV block ", run.blocks[i], ", there are ", limits.kv_blocks);
    }
  }
  return absl::OkStatus();
}

absl::Status CheckTokens(const Batch& batch, const BatchLimits& limits) {
  size_t given = 0;
  for (const TokenId id : batch.tokens) {
    if (id == kGivenRow) {
      ++given;
    } else if (id < 0 || static_cast<uint32_t>(id) >= limits.vocab) {
      return absl::InvalidArgumentError(
          absl::StrCat("batch: token id ", id, " is not in the vocabulary of ", limits.vocab));
    }
  }
  if (batch.given.size() != given * limits.hidden) {
    return absl::InvalidArgumentError(absl::StrCat("batch: ", given, " rows of ", limits.hidden, " are to be given, ",
                                                   batch.given.size(), " floats are"));
  }
  if (std::all_of(batch.given.begin(), batch.given.end(), [](float v) { return std::isfinite(v); })) {
    return absl::OkStatus();
  }
  return absl::InvalidArgumentError("batch: a row that is given is not finite");
}

absl::Status CheckInput(const Batch& batch, size_t rows, const BatchLimits& limits) {
  if (limits.first_stage) {
    if (batch.tokens.size() != rows || !batch.hidden.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("batch: the runs have ", rows, " rows, tokens are ",
                                                     batch.tokens.size(),
                                                     ", and the first stage takes no hidden states"));
    }
    return CheckTokens(batch, limits);
  }
  if (batch.hidden.size() != rows * limits.hidden || !batch.tokens.empty() || !batch.given.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("batch: ", batch.hidden.size(), " floats of hidden state for ", rows,
                                                   " rows of ", limits.hidden,
                                                   ", and later stages take neither tokens nor rows given for them"));
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<size_t> CheckBatch(const Batch& batch, const BatchLimits& limits) {
  if (batch.runs.empty()) return absl::InvalidArgumentError("batch: no runs");
  size_t rows = 0;
  size_t logit_rows = 0;
  for (size_t i = 0; i < batch.runs.size(); ++i) {
    ENIGMA_RETURN_IF_ERROR(CheckRun(batch.runs[i], i, limits));
    rows += batch.runs[i].count;
    logit_rows += batch.runs[i].logits ? 1 : 0;
  }
  if (rows > limits.max_rows) {
    return absl::InvalidArgumentError(absl::StrCat("batch: ", rows, " rows, a step takes at most ", limits.max_rows));
  }
  if (limits.last_stage && logit_rows > limits.max_logit_rows) {
    return absl::InvalidArgumentError(
        absl::StrCat("batch: ", logit_rows, " runs ask for logits, a step gives at most ", limits.max_logit_rows));
  }
  ENIGMA_RETURN_IF_ERROR(CheckInput(batch, rows, limits));
  return rows;
}

}  // namespace enigma::engine
