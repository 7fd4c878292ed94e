#pragma once

#include <cstddef>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include <absl/base/thread_annotations.h>
#include <absl/container/flat_hash_map.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>

#include "engine/sampling/constraint/token_constraint.h"
#include "engine/sampling/constraint/vocabulary_trie.h"

namespace enigma::engine {

// The constraints of recent requests over one vocabulary, by schema: a schema that is asked for again is compiled once,
// and its masks are there. Thread-safe; compiling happens on the caller's thread, outside the lock, so call it where
// nobody waits for the next token. The tokenizer must outlive it.
class ConstraintCache {
 public:
  struct Options {
    size_t entries_max = 32;
    ConstraintLimits limits;
  };

  explicit ConstraintCache(const Tokenizer& tokenizer) : ConstraintCache(tokenizer, Options{}) {}
  ConstraintCache(const Tokenizer& tokenizer, Options options)
      : options_(options), tokenizer_(tokenizer), trie_(std::make_shared<const VocabularyTrie>(tokenizer)) {}

  // Errors as Grammar::FromJsonSchema. An empty schema stands for any JSON object.
  absl::StatusOr<std::shared_ptr<const TokenConstraint>> Get(std::string_view schema);

 private:
  struct Entry {
    std::string schema;
    std::shared_ptr<const TokenConstraint> constraint;
  };

  const Options options_;
  const Tokenizer& tokenizer_;
  const std::shared_ptr<const VocabularyTrie> trie_;  // shared with the constraints handed out
  absl::Mutex mutex_;
  std::list<Entry> recent_ ABSL_GUARDED_BY(mutex_);  // the most recently used first
  absl::flat_hash_map<std::string, std::list<Entry>::iterator> entries_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace enigma::engine
