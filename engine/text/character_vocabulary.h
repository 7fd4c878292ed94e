#pragma once

#include <cstdint>
#include <optional>

#include <absl/status/statusor.h>

#include "engine/text/learned_vocabulary.h"
#include "engine/text/word_counter.h"

namespace enigma::engine {

struct CharacterVocabularyOptions {
  uint32_t token_count_max = 0;        // without special tokens
  std::optional<uint32_t> words = {};  // whole words; not given: as many as there is room for
};

// Text as characters, and the most frequent words whole: the 256 bytes, every character that occurs, the words.
//
// It is written as byte-level BPE whose only merges build characters from their bytes (three bytes by way of the first
// two), so that a character that never occurred still comes out as bytes. No merge leads to a word: those need a
// pre-tokenizer under which a piece that is a token is taken whole before any merge (ignore_merges in
// pre_tokenizer_table.h). Were words built by merges, their beginnings would be tokens too, in every word that begins
// so.
//
// Words are pieces of at least two characters that occur at least twice and hold an ASCII letter or a character beyond
// ASCII; so " the" may be one, "12" and "--" may not. Equal counts: the lesser bytes first. The result is a function of
// the counts alone; there are fewer words than asked for where the text has no more.
// InvalidArgument: no words to count, or less room than characters or `words` need (the message has both numbers).
absl::StatusOr<LearnedVocabulary> BuildCharacterVocabulary(const WordCounts& words,
                                                           const CharacterVocabularyOptions& options);

}  // namespace enigma::engine
