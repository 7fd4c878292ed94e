#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>

#include "coordinator/state/model.h"
#include "engine/spec/gguf.h"
#include "engine/text/chat_template.h"
#include "engine/text/tokenizer.h"

namespace enigma::coordinator {

// shared because fetches and requests go on with a file whose model was removed.
using GgufPtr = std::shared_ptr<const engine::GgufFile>;
using TokenizerPtr = std::shared_ptr<const engine::Tokenizer>;
using ChatTemplatePtr = std::shared_ptr<const engine::ChatTemplate>;

struct FileStamp {
  uint64_t bytes = 0;
  int64_t modified_ns = 0;
  // Tell one file from another that took its name, however coarse the clock of the file system.
  uint64_t inode = 0;
  int64_t changed_ns = 0;
  bool operator==(const FileStamp&) const = default;
};
// NOT_FOUND or PERMISSION_DENIED name the path.
absl::StatusOr<FileStamp> StampOf(const std::string& path);

// The imported models' files, memory-mapped, their tokenizers and chat templates, made on first use and kept.
// Thread-safe.
class ModelFiles {
 public:
  // FAILED_PRECONDITION when the file is gone or is not the one that was imported any more.
  absl::StatusOr<GgufPtr> Open(const Model& model);
  // Its image encoder's, likewise; FAILED_PRECONDITION where it has none.
  absl::StatusOr<GgufPtr> OpenEncoder(const Model& model);
  absl::StatusOr<TokenizerPtr> Tokenizer(const Model& model);
  // INVALID_ARGUMENT when the model has none, or one that cannot be parsed.
  absl::StatusOr<ChatTemplatePtr> Chat(const Model& model);
  // Whether it has one at all; false also while its file is not to be had.
  bool HasChat(const Model& model);
  void Forget(std::string_view model);

 private:
  struct Imported {
    std::string what;  // for errors
    std::string path;
    uint64_t bytes = 0;
    int64_t modified_ns = 0;
  };
  struct Entry {
    int64_t modified_ns = 0;
    GgufPtr file;
    TokenizerPtr tokenizer;  // once asked for, likewise the template; an encoder has neither
    ChatTemplatePtr chat;
  };
  // FAILED_PRECONDITION where it is not as it was imported any more.
  static absl::Status CheckUnchanged(const Model& model, const Imported& imported);
  // The entry's file, opened anew where it is another one.
  static absl::StatusOr<GgufPtr> Reopen(const Imported& imported, Entry& entry);

  absl::Mutex mutex_;
  std::map<std::string, Entry, std::less<>> entries_ ABSL_GUARDED_BY(mutex_);
  std::map<std::string, Entry, std::less<>> encoders_ ABSL_GUARDED_BY(mutex_);  // by the model's name
};

}  // namespace enigma::coordinator
