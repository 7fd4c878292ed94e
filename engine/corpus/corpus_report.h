#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/corpus/document_reader.h"
#include "engine/corpus/filters.h"
#include "engine/corpus/token_set.h"

namespace enigma::engine {

// What deserves a look before a model is trained on the corpus; nothing was changed because of it.
struct CorpusWarning {
  std::string
      code;  // "few_examples", "many_duplicates", "no_validation", "glued_pairs", "contradictions", "single_texts"
  std::string text;  // a sentence
};

struct CorpusPart {
  uint64_t documents = 0;
  uint64_t tokens = 0;
  uint64_t trained = 0;  // tokens that are to be learned
};

CorpusPart CorpusPartOf(const TokenSet& set, TokenSet::Part part);

// What became of the files.
struct CorpusReport {
  struct File {
    std::string name;
    uint64_t bytes = 0;
    ReaderCounts counts;
  };
  std::vector<File> files;
  DropCounts dropped;
  CorpusPart training;
  CorpusPart validation;
  std::vector<CorpusWarning> warnings;

  uint64_t documents_read() const;
  // Whether all of them are questions with answers.
  bool only_questions() const;
  // Lines for a terminal.
  std::string ToText() const;
  // An object with files, dropped, training, validation and warnings.
  std::string ToJson() const;
};

}  // namespace enigma::engine
