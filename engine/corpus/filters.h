#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "engine/corpus/document.h"

namespace enigma::engine {

// What is left out of a corpus. Every rule looks at the text of a document; those of quality only at running text of
// some length, because questions and conversations are what somebody wrote on purpose.
struct FilterOptions {
  size_t characters_min = 1;  // without the white space at both ends
  size_t characters_max = 0;  // 0: any

  bool quality = true;
  size_t quality_characters_min = 200;    // shorter texts are not judged
  double alphanumeric_share_min = 0.3;    // of the characters that are no white space; all beyond ASCII count
  double repeated_lines_share_max = 0.6;  // bytes of lines that stood before, of those in all lines
  // Mean length of words, in characters between white space; for texts that are mostly ASCII, because not every script
  // puts spaces between words.
  double word_length_min = 1;
  double word_length_max = 25;

  bool exact_duplicates = true;  // the same but for white space
  // Share of word 5-grams that two running texts have in common, of all in either (Jaccard), from which the later one
  // is left out; at least 0.5. 0: near duplicates stay. Pairs and conversations are only compared exactly: a long
  // prompt that many share would make them all alike.
  double near_duplicate_share = 0.9;
  size_t near_duplicate_words_min = 50;  // shorter texts are only compared exactly
};

enum class DropReason : uint32_t {
  kTooShort,
  kTooLong,
  kFewLetters,
  kRepeatedLines,
  kWordLength,
  kExactDuplicate,
  kNearDuplicate,
  kNothingToLearn,  // no token of it is to be learned
};
inline constexpr size_t kDropReasons = 8;
std::string_view NameOf(DropReason reason);  // "exact duplicate"

struct DropCount {
  uint64_t documents = 0;
  std::vector<std::string> examples;  // "notes.txt:12", or "notes.txt:12 (like notes.txt:3)"; at most kExamplesMax
};
inline constexpr size_t kExamplesMax = 3;

struct DropCounts {
  std::array<DropCount, kDropReasons> by_reason;

  void Add(DropReason reason, std::string example);
  const DropCount& operator[](DropReason reason) const { return by_reason[static_cast<size_t>(reason)]; }
  uint64_t documents() const;
};

// InvalidArgument names the option that cannot be.
absl::Status CheckFilterOptions(const FilterOptions& options);

// Removes documents, keeping the order of the others, and counts them. Of duplicates the first stays. `go_on` is asked
// now and then with the number of documents looked at; when it returns false the work ends with CANCELLED.
absl::Status FilterDocuments(const std::vector<CorpusFile>& files, const FilterOptions& options,
                             const std::function<bool(uint64_t looked_at)>& go_on, std::vector<Document>& documents,
                             DropCounts& dropped);

// "notes.txt:12"
std::string PlaceOf(const std::vector<CorpusFile>& files, const Document& document);

}  // namespace enigma::engine
