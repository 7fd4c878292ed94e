#include "coordinator/jobs/job_tokenizer.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/spec/gguf_writer.h"

namespace enigma::coordinator {
namespace {

// Knows the special tokens that a trained vocabulary will have, and else bytes alone: enough to read documents with.
absl::StatusOr<JobTokenizer> ReadingTokenizer() {
  engine::TokenizerTrainerOptions options;
  options.vocab_size = engine::kByteTokenCount + static_cast<uint32_t>(options.special_tokens.texts.size());
  options.chat_template = engine::kChatMlTemplate;
  ENIGMA_ASSIGN_OR_RETURN(const auto trainer, engine::TokenizerTrainer::Create(options));
  trainer->Add(" ");
  ENIGMA_ASSIGN_OR_RETURN(const engine::TokenizerFile file, trainer->Train());
  ENIGMA_ASSIGN_OR_RETURN(const engine::GgufMetadata metadata, engine::VocabularyMetadata(file, "reading"));
  JobTokenizer reading;
  ENIGMA_ASSIGN_OR_RETURN(reading.tokenizer, engine::Tokenizer::FromGguf(metadata));
  ENIGMA_ASSIGN_OR_RETURN(reading.chat, engine::ChatTemplate::FromGguf(metadata, *reading.tokenizer));
  return reading;
}

constexpr double kReadingShare = 0.3;  // of the whole work, roughly

}  // namespace

absl::StatusOr<JobTokenizer> OpenJobTokenizer(const std::string& path) {
  ENIGMA_ASSIGN_OR_RETURN(const auto file, engine::GgufFile::Open(path));
  JobTokenizer opened;
  auto tokenizer = engine::Tokenizer::FromGguf(file->metadata());
  if (!tokenizer.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("the tokenizer cannot be used: ", tokenizer.status().message()));
  }
  opened.tokenizer = *std::move(tokenizer);
  absl::StatusOr<engine::ChatTemplate> chat = engine::ChatTemplate::FromGguf(file->metadata(), *opened.tokenizer);
  if (chat.ok()) opened.chat = *std::move(chat);
  if (!chat.ok() && !absl::IsNotFound(chat.status())) {
    return absl::InvalidArgumentError(
        absl::StrCat("the chat template of the tokenizer cannot be used: ", chat.status().message()));
  }
  return opened;
}

std::optional<engine::TokenId> FindSpecialToken(const engine::Tokenizer& tokenizer, const std::string& text) {
  const std::vector<engine::TokenId> ids = tokenizer.Encode(text, {.add_special = false, .parse_special = true});
  if (ids.size() != 1 || !tokenizer.IsControl(ids.front())) return std::nullopt;
  return ids.front();
}

engine::GgufMetadata CopiedVocabulary(const engine::GgufMetadata& from, const std::string& name) {
  engine::GgufMetadata metadata;
  // A family must be named, though nothing of it is there.
  metadata.Set("general.architecture", std::string("llama"));
  metadata.Set("general.type", std::string("model"));
  metadata.Set("general.name", name);
  engine::CopyTokenizerKeys(from, metadata);
  return metadata;
}

absl::Status WriteVocabulary(const engine::GgufMetadata& metadata, const std::string& path) {
  ENIGMA_ASSIGN_OR_RETURN(const auto writer, engine::GgufWriter::Create(path, metadata, {}));
  return writer->Finish().status();
}

absl::Status CopyTokenizer(const engine::GgufMetadata& from, const std::string& name, const std::string& path) {
  return WriteVocabulary(CopiedVocabulary(from, name), path);
}

absl::Status SetChatTemplate(const std::string& path, std::string_view chat_template) {
  ENIGMA_ASSIGN_OR_RETURN(std::unique_ptr<engine::GgufFile> file, engine::GgufFile::Open(path));
  engine::GgufMetadata metadata = CopiedVocabulary(file->metadata(), file->metadata().StringOr("general.name", ""));
  file.reset();  // the new file takes its place
  metadata.Set("tokenizer.chat_template", std::string(chat_template));
  return WriteVocabulary(metadata, path);
}

absl::Status TrainTokenizer(const std::vector<engine::CorpusFile>& files, const engine::ReaderOptions& reader,
                            const TokenizerOrder& order, const std::string& path,
                            const std::function<bool(double share)>& go_on) {
  const absl::Status cancelled = absl::CancelledError("the caller went away");
  ENIGMA_ASSIGN_OR_RETURN(const JobTokenizer reading, ReadingTokenizer());
  std::vector<engine::Document> documents;
  for (uint32_t i = 0; i < files.size(); ++i) {
    if (!go_on(kReadingShare * i / static_cast<double>(files.size()))) return cancelled;
    ENIGMA_RETURN_IF_ERROR(
        engine::ReadDocuments(files[i], i, reader, *reading.tokenizer, reading.chat_or_null(), documents).status());
  }
  const bool has_chats = std::any_of(documents.begin(), documents.end(), [](const engine::Document& document) {
    return document.kind == engine::DocumentKind::kChat;
  });
  engine::TokenizerTrainerOptions options;
  options.kind = order.kind;
  options.vocab_size = order.vocabulary;
  if (order.kind == engine::TokenizerKind::kCharacter) options.words = 0;
  if (order.chat || has_chats) options.chat_template = engine::kChatMlTemplate;
  options.progress = [&](uint64_t made, uint64_t wanted) {
    const double merged = wanted == 0 ? 1 : static_cast<double>(made) / static_cast<double>(wanted);
    go_on(kReadingShare + (1 - kReadingShare) * merged);
  };
  ENIGMA_ASSIGN_OR_RETURN(const auto trainer, engine::TokenizerTrainer::Create(std::move(options)));
  for (const engine::Document& document : documents) trainer->Add(document.Text());
  if (trainer->counted().words().empty()) return absl::InvalidArgumentError("the data hold no text to learn from");
  if (!go_on(kReadingShare)) return cancelled;
  ENIGMA_ASSIGN_OR_RETURN(const engine::TokenizerFile file, trainer->Train());
  ENIGMA_ASSIGN_OR_RETURN(const engine::GgufMetadata metadata, engine::VocabularyMetadata(file, order.name));
  return WriteVocabulary(metadata, path);
}

}  // namespace enigma::coordinator
