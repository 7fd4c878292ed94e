#include "coordinator/state/model_files.h"

#include <sys/stat.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"

namespace enigma::coordinator {

namespace {

std::string ImportCommand(const Model& model) {
  return absl::StrCat("`enigma models import ", model.path, model.encoder ? " --encoder " + model.encoder->path : "",
                      " --name ", model.name, " --replace`");
}

// Of a file of the model that is still as it was imported, else FAILED_PRECONDITION.
absl::StatusOr<FileStamp> CheckedStamp(const Model& model, const std::string& what, const std::string& path,
                                       uint64_t bytes, int64_t modified_ns) {
  const absl::StatusOr<FileStamp> stamp = StampOf(path);
  if (!stamp.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat(what, " is not to be had: ", stamp.status().message(),
                     "; put it back, or `enigma models import` it from another place under this name"));
  }
  if (stamp->bytes == bytes && stamp->modified_ns == modified_ns) return stamp;
  return absl::FailedPreconditionError(
      absl::StrCat(what, ", ", path, ", has changed since it was imported; ",
                   model.shipped ? "a restart of the coordinator" : ImportCommand(model), " takes it as it is now"));
}

}  // namespace

absl::StatusOr<FileStamp> StampOf(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat("cannot read ", path));
  }
  if (!S_ISREG(status.st_mode)) return absl::InvalidArgumentError(absl::StrCat(path, " is not a file"));
  return FileStamp{
      static_cast<uint64_t>(status.st_size), int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec,
      static_cast<uint64_t>(status.st_ino), int64_t{status.st_ctim.tv_sec} * 1'000'000'000 + status.st_ctim.tv_nsec};
}

absl::StatusOr<GgufPtr> ModelFiles::Open(const Model& model) {
  ENIGMA_ASSIGN_OR_RETURN(const FileStamp stamp,
                          CheckedStamp(model, absl::StrCat("the file of model '", model.name, "'"), model.path,
                                       model.file_bytes, model.modified_ns));
  absl::MutexLock lock(&mutex_);
  Entry& entry = entries_[model.name];
  if (entry.file == nullptr || entry.stamp.modified_ns != stamp.modified_ns || entry.file->path() != model.path) {
    ENIGMA_ASSIGN_OR_RETURN(std::unique_ptr<engine::GgufFile> file, engine::GgufFile::Open(model.path));
    entry = {stamp, std::move(file), nullptr, nullptr};
  }
  return entry.file;
}

absl::StatusOr<GgufPtr> ModelFiles::OpenEncoder(const Model& model) {
  if (!model.encoder) {
    return absl::FailedPreconditionError(absl::StrCat("model '", model.name, "' has no image encoder"));
  }
  const ImageEncoder& encoder = *model.encoder;
  ENIGMA_ASSIGN_OR_RETURN(const FileStamp stamp,
                          CheckedStamp(model, absl::StrCat("the image encoder's file of model '", model.name, "'"),
                                       encoder.path, encoder.file_bytes, encoder.modified_ns));
  absl::MutexLock lock(&mutex_);
  EncoderEntry& entry = encoders_[model.name];
  if (entry.file == nullptr || entry.stamp.modified_ns != stamp.modified_ns || entry.file->path() != encoder.path) {
    ENIGMA_ASSIGN_OR_RETURN(std::unique_ptr<engine::GgufFile> file, engine::GgufFile::Open(encoder.path));
    entry = {stamp, std::move(file)};
  }
  return entry.file;
}

absl::StatusOr<TokenizerPtr> ModelFiles::Tokenizer(const Model& model) {
  {
    // What was read once stays good for this content, also when the file is away.
    absl::MutexLock lock(&mutex_);
    const auto found = entries_.find(model.name);
    if (found != entries_.end() && found->second.tokenizer != nullptr &&
        found->second.stamp.modified_ns == model.modified_ns) {
      return found->second.tokenizer;
    }
  }
  ENIGMA_ASSIGN_OR_RETURN(const GgufPtr file, Open(model));
  ENIGMA_ASSIGN_OR_RETURN(TokenizerPtr tokenizer, engine::Tokenizer::FromGguf(file->metadata()));
  absl::MutexLock lock(&mutex_);
  if (const auto found = entries_.find(model.name); found != entries_.end() && found->second.file == file) {
    found->second.tokenizer = tokenizer;
  }
  return tokenizer;
}

absl::StatusOr<ChatTemplatePtr> ModelFiles::Chat(const Model& model) {
  {
    absl::MutexLock lock(&mutex_);
    const auto found = entries_.find(model.name);
    if (found != entries_.end() && found->second.chat != nullptr &&
        found->second.stamp.modified_ns == model.modified_ns) {
      return found->second.chat;
    }
  }
  ENIGMA_ASSIGN_OR_RETURN(const TokenizerPtr tokenizer, Tokenizer(model));
  ENIGMA_ASSIGN_OR_RETURN(const GgufPtr file, Open(model));
  absl::StatusOr<engine::ChatTemplate> parsed = engine::ChatTemplate::FromGguf(file->metadata(), *tokenizer);
  if (absl::IsNotFound(parsed.status())) {
    return absl::InvalidArgumentError(
        absl::StrCat("model: '", model.name, "' has no chat template; ask for a completion of plain text instead"));
  }
  if (!parsed.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("model: the chat template of '", model.name, "' is of no use: ", parsed.status().message()));
  }
  auto chat = std::make_shared<const engine::ChatTemplate>(*std::move(parsed));
  absl::MutexLock lock(&mutex_);
  if (const auto found = entries_.find(model.name); found != entries_.end() && found->second.file == file) {
    found->second.chat = chat;
  }
  return chat;
}

bool ModelFiles::HasChat(const Model& model) {
  const absl::StatusOr<GgufPtr> file = Open(model);
  return file.ok() && engine::ChatTemplate::IsIn((*file)->metadata());
}

void ModelFiles::Forget(std::string_view model) {
  absl::MutexLock lock(&mutex_);
  if (const auto found = entries_.find(model); found != entries_.end()) entries_.erase(found);
  if (const auto found = encoders_.find(model); found != encoders_.end()) encoders_.erase(found);
}

}  // namespace enigma::coordinator
