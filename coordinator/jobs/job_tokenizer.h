#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "engine/corpus/prepare.h"
#include "engine/spec/gguf.h"
#include "engine/text/chat_template.h"
#include "engine/text/tokenizer.h"
#include "engine/text/tokenizer_trainer.h"

namespace enigma::coordinator {

// A vocabulary of a job, as it lies on disk.
struct JobTokenizer {
  std::unique_ptr<engine::Tokenizer> tokenizer;
  std::optional<engine::ChatTemplate> chat;  // empty: texts are continued as they stand

  [[nodiscard]] const engine::ChatTemplate* chat_or_null() const { return chat ? &*chat : nullptr; }
};
// INVALID_ARGUMENT where it cannot be used.
absl::StatusOr<JobTokenizer> OpenJobTokenizer(const std::string& path);

// The token that is written so, if it is one that no text has.
std::optional<engine::TokenId> FindSpecialToken(const engine::Tokenizer& tokenizer, const std::string& text);

// The vocabulary of a model, or one alone, as metadata of a file of its own.
engine::GgufMetadata CopiedVocabulary(const engine::GgufMetadata& from, const std::string& name);
// Writes that file.
absl::Status WriteVocabulary(const engine::GgufMetadata& metadata, const std::string& path);
absl::Status CopyTokenizer(const engine::GgufMetadata& from, const std::string& name, const std::string& path);

// Gives the vocabulary in that file another chat template.
absl::Status SetChatTemplate(const std::string& path, std::string_view chat_template);

struct TokenizerOrder {
  engine::TokenizerKind kind = engine::TokenizerKind::kBytePair;
  uint32_t vocabulary = 0;  // tokens at most, special ones among them; characters alone, without words, need no more
  bool chat = false;        // with a chat template also where the data hold no conversation
  std::string name;
};
// Trains a vocabulary on the documents that the files hold, as they will be tokenised, and writes it. Errors of the
// files are as PrepareCorpus has them. `go_on`: share of the work that is done; false ends it with CANCELLED.
absl::Status TrainTokenizer(const std::vector<engine::CorpusFile>& files, const engine::ReaderOptions& reader,
                            const TokenizerOrder& order, const std::string& path,
                            const std::function<bool(double share)>& go_on);

}  // namespace enigma::coordinator
