#pragma once

#include <functional>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "coordinator/jobs/job_tokenizer.h"
#include "engine/corpus/labelled_texts.h"
#include "engine/spec/gguf.h"
#include "engine/spec/router_spec.h"

namespace enigma::coordinator {

// Vocabularies of routers: files with the keys tokenizer.* and enigma.router.*, the latter not calibrated yet.

// Trains one on the texts that are not held out for validation (engine::HeldOut), as they will be read, with a token of
// its own for each label, and writes it.
absl::Status TrainRouterVocabulary(const engine::LabelledCorpus& corpus, double validation_share,
                                   const TokenizerOrder& order, const std::string& path,
                                   const std::function<bool(double share)>& go_on);

// Writes one with the tokens of a vocabulary that is there. A label has the token that the vocabulary's own router
// gives it; else the one that is called as LabelTokenText says; else a spare one ("<|spare_0|>"), in the order of the
// labels. INVALID_ARGUMENT where these do not suffice.
absl::Status CopyRouterVocabulary(const engine::GgufMetadata& from, const std::vector<std::string>& labels,
                                  const std::string& name, const std::string& path);

}  // namespace enigma::coordinator
