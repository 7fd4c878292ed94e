#pragma once

#include <cstdint>

#include <absl/status/statusor.h>

#include "engine/corpus/labelled_texts.h"
#include "engine/corpus/prepare.h"
#include "engine/spec/router_spec.h"
#include "engine/text/tokenizer.h"

namespace enigma::engine {

struct RouterCorpusOptions {
  double validation_share = 0.1;  // of each label's texts; below 0.5
  bool train_on_prompts = false;  // learn to write the texts, too
  uint32_t context = 256;         // of the model: a longer prompt loses its middle; at least 8
};

// Tokens of the longest prompt in a token set for this context: the label is the last token that is read.
uint32_t RouterPromptTokens(uint32_t context);

// Makes a token set of labelled texts: each is the router's prompt with the text in place, the token of its label, and
// the end token; the last two are learned. InvalidArgument: the vocabulary has no end token, a text has a label that
// the router has not, an option that cannot be.
absl::StatusOr<PreparedCorpus> PrepareRouterCorpus(const LabelledCorpus& corpus, const Tokenizer& tokenizer,
                                                   const RouterSpec& router, const RouterCorpusOptions& options,
                                                   const CorpusProgress& progress = nullptr);

}  // namespace enigma::engine
