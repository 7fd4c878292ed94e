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

absl::Status ModelFiles::CheckUnchanged(const Model& model, const Imported& imported) {
  const absl::StatusOr<FileStamp> stamp = StampOf(imported.path);
  if (!stamp.ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat(imported.what, " is not to be had: ", stamp.status().message(),
                     "; put it back, or `enigma models import` it from another place under this name"));
  }
  if (stamp->bytes == imported.bytes && stamp->modified_ns == imported.modified_ns) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(imported.what, ", ", imported.path, ", has changed since it was imported; ",
                   model.shipped ? "a restart of the coordinator" : ImportCommand(model), " takes it as it is now"));
}

absl::StatusOr<GgufPtr> ModelFiles::Reopen(const Imported& imported, Entry& entry) {
  if (entry.file == nullptr || entry.modified_ns != imported.modified_ns || entry.file->path() != imported.path) {
    ENIGMA_ASSIGN_OR_RETURN(std::unique_ptr<engine::GgufFile> file, engine::GgufFile::Open(imported.path));
    entry = {imported.modified_ns, std::move(file), nullptr, nullptr};
  }
  return entry.file;
}

absl::StatusOr<GgufPtr> ModelFiles::Open(const Model& model) {
  const Imported imported = {absl::StrCat("the file of model '", model.name, "'"), model.path, model.file_bytes,
                             model.modified_ns};
  ENIGMA_RETURN_IF_ERROR(CheckUnchanged(model, imported));
  absl::MutexLock lock(&mutex_);
  return Reopen(imported, entries_[model.name]);
}

absl::StatusOr<GgufPtr> ModelFiles::OpenEncoder(const Model& model) {
  if (!model.encoder) {
    return absl::FailedPreconditionError(absl::StrCat("model '", model.name, "' has no image encoder"));
  }
  const Imported imported = {absl::StrCat("the image encoder's file of model '", model.name, "'"), model.encoder->path,
                             model.encoder->file_bytes, model.encoder->modified_ns};
  ENIGMA_RETURN_IF_ERROR(CheckUnchanged(model, imported));
  absl::MutexLock lock(&mutex_);
  return Reopen(imported, encoders_[model.name]);
}

absl::StatusOr<TokenizerPtr> ModelFiles::Tokenizer(const Model& model) {
  {
    // What was read once stays good for this content, also when the file is away.
    absl::MutexLock lock(&mutex_);
    const auto found = entries_.find(model.name);
    if (found != entries_.end() && found->second.tokenizer != nullptr &&
        found->second.modified_ns == model.modified_ns) {
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
    if (found != entries_.end() && found->second.chat != nullptr && found->second.modified_ns == model.modified_ns) {
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
