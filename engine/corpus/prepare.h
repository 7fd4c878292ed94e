#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/corpus/corpus_report.h"
#include "engine/corpus/document.h"
#include "engine/corpus/document_reader.h"
#include "engine/corpus/filters.h"
#include "engine/corpus/token_set.h"
#include "engine/text/chat_template.h"
#include "engine/text/tokenizer.h"

namespace enigma::engine {

struct CorpusOptions {
  ReaderOptions reader;
  FilterOptions filters;
  // Share of the documents kept for validation, below 0.5; which ones their text decides, so that a document stays
  // where it is when others are added. None of fewer than kValidationDocumentsMin documents, at least one of more. 0:
  // none.
  double validation_share = 0.05;
  bool train_on_prompts = false;  // learn prompts, too, not only what follows them
};
inline constexpr uint64_t kValidationDocumentsMin = 20;

struct PreparedCorpus {
  std::shared_ptr<const TokenSet> tokens;  // shared as TokenSet says
  CorpusReport report;
};

enum class CorpusStage { kReading, kFiltering, kTokenising };
// Heard now and then: files in bytes, documents after that. When it returns false the work ends with CANCELLED.
using CorpusProgress = std::function<bool(CorpusStage stage, uint64_t done, uint64_t total)>;

// Makes a corpus of files: reads them, filters what they hold, cuts off a part for validation, tokenises. The same
// input gives the same bytes. `chat` may be nullptr where the model has no chat template; conversations are then an
// error. InvalidArgument: see ReadDocuments; an option that cannot be; nothing is left to train on; the vocabulary has
// no end token.
absl::StatusOr<PreparedCorpus> PrepareCorpus(const std::vector<CorpusFile>& files, const Tokenizer& tokenizer,
                                             const ChatTemplate* chat, const CorpusOptions& options,
                                             const CorpusProgress& progress = nullptr);

}  // namespace enigma::engine
