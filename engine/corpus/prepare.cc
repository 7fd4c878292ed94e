#include "engine/corpus/prepare.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <string>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/corpus/document_encoder.h"
#include "engine/corpus/mistaken_format.h"
#include "engine/corpus/normalised_text.h"

namespace enigma::engine {
namespace {

constexpr uint64_t kFewExamples = 1000;
constexpr double kManyDuplicatesShare = 0.3;
constexpr uint64_t kTokenisedBetweenCalls = 256;

absl::Status Cancelled() { return absl::CancelledError("the corpus is not wanted any more"); }

absl::StatusOr<std::vector<Document>> ReadAll(const std::vector<CorpusFile>& files, const Tokenizer& tokenizer,
                                              const ChatTemplate* chat, const ReaderOptions& options,
                                              const CorpusProgress& progress, CorpusReport& report) {
  uint64_t total = 0;
  for (const CorpusFile& file : files) total += file.bytes.size();
  std::vector<Document> documents;
  uint64_t done = 0;
  for (size_t i = 0; i < files.size(); ++i) {
    if (progress && !progress(CorpusStage::kReading, done, total)) return Cancelled();
    ENIGMA_ASSIGN_OR_RETURN(const ReaderCounts counts,
                            ReadDocuments(files[i], static_cast<uint32_t>(i), options, tokenizer, chat, documents));
    report.files.push_back({files[i].name, files[i].bytes.size(), counts});
    done += files[i].bytes.size();
  }
  if (documents.size() > std::numeric_limits<uint32_t>::max()) {
    return absl::InvalidArgumentError(
        absl::StrCat("the files hold ", documents.size(), " documents; at most 2^32 - 1 can be used"));
  }
  return documents;
}

// A number that a document's text decides.
uint64_t SplitKey(const Document& document) {
  const Sha256 hash = NormalisedHash(document.Text());
  uint64_t key;
  std::memcpy(&key, hash.data() + 16, sizeof key);
  return key;
}

// One flag per document: whether it is kept for validation.
std::vector<bool> ChooseValidation(const std::vector<Document>& documents, double share) {
  std::vector<bool> chosen(documents.size());
  if (share == 0 || documents.size() < kValidationDocumentsMin) return chosen;
  std::vector<uint64_t> keys;
  for (const Document& document : documents) keys.push_back(SplitKey(document));
  const double all_keys = 18446744073709551616.0;  // 2^64; exact
  auto below = static_cast<uint64_t>(share * all_keys);
  const auto [lowest, highest] = std::minmax_element(keys.begin(), keys.end());
  if (*lowest >= below) below = *lowest + 1;  // at least one
  if (*highest < below) return chosen;        // only where all documents are the same
  for (size_t i = 0; i < keys.size(); ++i) chosen[i] = keys[i] < below;
  return chosen;
}

absl::StatusOr<std::shared_ptr<const TokenSet>> Tokenise(const std::vector<CorpusFile>& files,
                                                         const Tokenizer& tokenizer, const DocumentEncoder& encoder,
                                                         double validation_share, const CorpusProgress& progress,
                                                         std::vector<Document> documents, CorpusReport& report) {
  const std::vector<bool> validation = ChooseValidation(documents, validation_share);
  TokenSetBuilder builder(tokenizer);
  for (size_t i = 0; i < documents.size(); ++i) {
    if (progress && i % kTokenisedBetweenCalls == 0 && !progress(CorpusStage::kTokenising, i, documents.size())) {
      return Cancelled();
    }
    const EncodedDocument encoded = encoder.Encode(documents[i]);
    if (encoded.ids.empty()) {
      report.dropped.Add(DropReason::kNothingToLearn, PlaceOf(files, documents[i]));
      continue;
    }
    const TokenSet::Part part = validation[i] ? TokenSet::Part::kValidation : TokenSet::Part::kTraining;
    ENIGMA_RETURN_IF_ERROR(builder.Add(part, encoded.ids, encoded.trained));
    documents[i] = {};  // its text is not needed any more
  }
  return builder.Finish();
}

void AddWarnings(CorpusReport& report) {
  const auto warn = [&report](const char* code, std::string text) {
    report.warnings.push_back({code, std::move(text)});
  };
  uint64_t examples = 0;
  uint64_t glued = 0;
  for (const CorpusReport::File& file : report.files) {
    const bool text = file.counts.format == CorpusFormat::kText;
    examples += text ? std::max(file.counts.lines, file.counts.documents) : file.counts.documents;
    glued += file.counts.glued_pairs;
  }
  if (examples < kFewExamples) {
    warn("few_examples", absl::StrCat("the corpus has only ", examples,
                                      " examples or lines: a model will learn them by heart rather than learn from "
                                      "them; gather at least ",
                                      kFewExamples));
  }
  const uint64_t duplicates =
      report.dropped[DropReason::kExactDuplicate].documents + report.dropped[DropReason::kNearDuplicate].documents;
  if (static_cast<double>(duplicates) > kManyDuplicatesShare * static_cast<double>(report.documents_read())) {
    warn("many_duplicates", absl::StrCat(duplicates, " of ", report.documents_read(),
                                         " documents are duplicates and were left out: look at where they come from"));
  }
  if (glued > 0) {
    warn("glued_pairs",
         absl::StrCat(glued,
                      " completions follow their prompt without white space between: end prompts with a line "
                      "end, or begin completions with a space, unless that is meant"));
  }
  if (report.validation.documents == 0) {
    warn("no_validation", "no part is kept for validation, so nothing will show when a model begins to learn by heart");
  }
}

// Whether what was found out about the files is what they are.
void AddDoubts(const std::vector<CorpusFile>& files, CorpusReport& report) {
  for (size_t i = 0; i < files.size(); ++i) {
    if (report.files[i].counts.format != CorpusFormat::kText) continue;
    std::optional<std::string> doubt = DoubtThatItIsText(files[i].name, files[i].bytes);
    if (doubt) report.warnings.push_back({"mistaken_format", *std::move(doubt)});
  }
}

}  // namespace

absl::StatusOr<PreparedCorpus> PrepareCorpus(const std::vector<CorpusFile>& files, const Tokenizer& tokenizer,
                                             const ChatTemplate* chat, const CorpusOptions& options,
                                             const CorpusProgress& progress) {
  if (files.empty()) return absl::InvalidArgumentError("no files to train on; name at least one");
  if (!(options.validation_share >= 0 && options.validation_share < 0.5)) {
    return absl::InvalidArgumentError(
        absl::StrCat("validation_share must be from 0 to below 0.5, not ", options.validation_share));
  }
  ENIGMA_RETURN_IF_ERROR(CheckFilterOptions(options.filters));
  ENIGMA_ASSIGN_OR_RETURN(const DocumentEncoder encoder, DocumentEncoder::Create(tokenizer, options.train_on_prompts));

  PreparedCorpus prepared;
  CorpusReport& report = prepared.report;
  ENIGMA_ASSIGN_OR_RETURN(std::vector<Document> documents,
                          ReadAll(files, tokenizer, chat, options.reader, progress, report));
  const uint64_t read = documents.size();
  const auto go_on = [&progress, read](uint64_t looked_at) {
    return !progress || progress(CorpusStage::kFiltering, looked_at, read);
  };
  ENIGMA_RETURN_IF_ERROR(FilterDocuments(files, options.filters, go_on, documents, report.dropped));
  ENIGMA_ASSIGN_OR_RETURN(prepared.tokens, Tokenise(files, tokenizer, encoder, options.validation_share, progress,
                                                    std::move(documents), report));
  report.training = CorpusPartOf(*prepared.tokens, TokenSet::Part::kTraining);
  report.validation = CorpusPartOf(*prepared.tokens, TokenSet::Part::kValidation);
  if (report.training.trained == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("nothing is left to train on:\n", report.ToText(),
                     "loosen the filters (length, quality, duplicates), or give other files"));
  }
  AddWarnings(report);
  if (options.reader.format == CorpusFormat::kAuto) AddDoubts(files, report);
  return prepared;
}

}  // namespace enigma::engine
