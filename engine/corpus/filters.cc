#include "engine/corpus/filters.h"

#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include <absl/container/flat_hash_map.h>
#include <absl/numeric/int128.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/corpus/line_source.h"
#include "engine/corpus/near_duplicates.h"
#include "engine/corpus/normalised_text.h"
#include "engine/corpus/text_quality.h"

namespace enigma::engine {
namespace {

constexpr uint64_t kDocumentsBetweenCalls = 256;

bool IsShare(double value) { return value >= 0 && value <= 1; }

// The first reason for which a document that was not seen before is left out.
std::optional<DropReason> Judge(const Document& document, std::string_view text, const FilterOptions& options) {
  const size_t characters = CharactersIn(TrimmedBlanks(text));
  if (characters < options.characters_min) return DropReason::kTooShort;
  if (options.characters_max != 0 && characters > options.characters_max) return DropReason::kTooLong;
  if (options.quality && document.kind == DocumentKind::kText) return JudgeQuality(text, options);
  return std::nullopt;
}

// Documents that were kept so far, and whether another one is among them.
class SeenDocuments {
 public:
  SeenDocuments(const FilterOptions& options, const std::vector<Document>& kept) : options_(options), kept_(kept) {
    if (options.near_duplicate_share > 0) {
      near_ = std::make_unique<NearDuplicateIndex>(options.near_duplicate_share, options.near_duplicate_words_min,
                                                   [this](uint32_t id) { return kept_[id].Text(); });
    }
  }

  struct Match {
    DropReason reason;
    uint32_t like;  // index of a kept document
  };
  // Remembers the document, as the one with index `next` of those kept, when there is no match.
  std::optional<Match> FindOrAdd(const Document& document, std::string_view text, uint32_t next) {
    absl::uint128 key = 0;
    if (options_.exact_duplicates) {
      const Sha256 hash = NormalisedHash(text);
      std::memcpy(&key, hash.data(), sizeof key);
      if (const auto seen = exact_.find(key); seen != exact_.end()) {
        return Match{DropReason::kExactDuplicate, seen->second};
      }
    }
    // Pairs and conversations that share a long prompt are much alike, and yet each says something else.
    if (near_ != nullptr && document.kind == DocumentKind::kText) {
      if (const auto like = near_->FindOrAdd(text, next)) return Match{DropReason::kNearDuplicate, *like};
    }
    if (options_.exact_duplicates) exact_.emplace(key, next);
    return std::nullopt;
  }

 private:
  const FilterOptions& options_;
  const std::vector<Document>& kept_;
  absl::flat_hash_map<absl::uint128, uint32_t> exact_;
  std::unique_ptr<NearDuplicateIndex> near_;
};

}  // namespace

std::string_view NameOf(DropReason reason) {
  switch (reason) {
    case DropReason::kTooShort:
      return "too short";
    case DropReason::kTooLong:
      return "too long";
    case DropReason::kFewLetters:
      return "few letters";
    case DropReason::kRepeatedLines:
      return "repeated lines";
    case DropReason::kWordLength:
      return "no usual words";
    case DropReason::kExactDuplicate:
      return "exact duplicate";
    case DropReason::kNearDuplicate:
      return "near duplicate";
    case DropReason::kNothingToLearn:
      return "nothing to learn";
  }
  return "";
}

uint64_t DropCounts::documents() const {
  uint64_t sum = 0;
  for (const DropCount& count : by_reason) sum += count.documents;
  return sum;
}

void DropCounts::Add(DropReason reason, std::string example) {
  DropCount& count = by_reason[static_cast<size_t>(reason)];
  ++count.documents;
  if (count.examples.size() < kExamplesMax) count.examples.push_back(std::move(example));
}

absl::Status CheckFilterOptions(const FilterOptions& options) {
  if (options.near_duplicate_share != 0 &&
      !(options.near_duplicate_share >= 0.5 && options.near_duplicate_share <= 1)) {
    return absl::InvalidArgumentError(
        absl::StrCat("near_duplicate_share must be 0 or from 0.5 to 1, not ", options.near_duplicate_share));
  }
  if (!IsShare(options.alphanumeric_share_min) || !IsShare(options.repeated_lines_share_max)) {
    return absl::InvalidArgumentError("alphanumeric_share_min and repeated_lines_share_max must be from 0 to 1");
  }
  if (!(options.word_length_min >= 0 && options.word_length_min <= options.word_length_max)) {
    return absl::InvalidArgumentError("word_length_min must be from 0 to word_length_max");
  }
  if (options.characters_max != 0 && options.characters_min > options.characters_max) {
    return absl::InvalidArgumentError(absl::StrCat("characters_min (", options.characters_min,
                                                   ") is more than characters_max (", options.characters_max, ")"));
  }
  return absl::OkStatus();
}

std::string PlaceOf(const std::vector<CorpusFile>& files, const Document& document) {
  return absl::StrCat(files[document.file].name, ":", document.line);
}

absl::Status FilterDocuments(const std::vector<CorpusFile>& files, const FilterOptions& options,
                             const std::function<bool(uint64_t looked_at)>& go_on, std::vector<Document>& documents,
                             DropCounts& dropped) {
  ENIGMA_RETURN_IF_ERROR(CheckFilterOptions(options));
  std::vector<Document> kept;
  SeenDocuments seen(options, kept);
  std::string joined;
  for (size_t i = 0; i < documents.size(); ++i) {
    if (go_on && i % kDocumentsBetweenCalls == 0 && !go_on(i)) {
      return absl::CancelledError("the corpus is not wanted any more");
    }
    Document& document = documents[i];
    if (document.segments.size() != 1) joined = document.Text();
    const std::string_view text = document.segments.size() == 1 ? document.segments.front().text : joined;
    if (const std::optional<DropReason> reason = Judge(document, text, options)) {
      dropped.Add(*reason, PlaceOf(files, document));
    } else if (const auto match = seen.FindOrAdd(document, text, static_cast<uint32_t>(kept.size()))) {
      dropped.Add(match->reason,
                  absl::StrCat(PlaceOf(files, document), " (like ", PlaceOf(files, kept[match->like]), ")"));
    } else {
      kept.push_back(std::move(document));
    }
  }
  documents = std::move(kept);
  return absl::OkStatus();
}

}  // namespace enigma::engine
