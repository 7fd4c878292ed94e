#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <absl/container/flat_hash_map.h>
#include <absl/status/statusor.h>

#include "engine/text/pre_tokenizer.h"
#include "engine/text/special_matcher.h"

namespace enigma::engine {

// How often each word (a piece that a pre-tokenizer cuts) occurs. Words are bytes, mostly UTF-8.
using WordCounts = absl::flat_hash_map<std::string, uint64_t>;

// Counts the words of texts, in memory that grows with the distinct ones only. Not thread-safe.
class WordCounter {
 public:
  // `pre`: a name of pre_tokenizer_table.h. Texts are cut at special tokens, which are counted and are part of no word.
  // InvalidArgument when there is no such pre-tokenizer.
  static absl::StatusOr<std::unique_ptr<WordCounter>> Create(std::string_view pre,
                                                             const std::vector<std::string>& special_tokens);

  // No word reaches from one text into the next. Bytes that are not UTF-8 are words of their own.
  void Add(std::string_view text);

  const WordCounts& words() const { return words_; }
  uint64_t bytes() const { return bytes_; }             // of all texts
  uint64_t special_count() const { return specials_; }  // occurrences of special tokens in them

 private:
  explicit WordCounter(std::unique_ptr<PreTokenizer> pre_tokenizer);
  void AddPlain(std::string_view text);

  const std::unique_ptr<PreTokenizer> pre_tokenizer_;
  SpecialMatcher special_tokens_;
  PreTokenizer::Workspace workspace_;
  std::vector<std::string_view> pieces_;
  WordCounts words_;
  uint64_t bytes_ = 0;
  uint64_t specials_ = 0;
};

}  // namespace enigma::engine
