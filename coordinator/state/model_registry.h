#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>

#include "coordinator/state/model.h"
#include "coordinator/store/store.h"

namespace enigma::coordinator {

// Stands for whichever specialist suits a request (docs/routing.md), so no model is called so.
inline constexpr char kAutoModel[] = "auto";

// What is to become of a name.
enum class ModelChange {
  kAdd,      // it is taken
  kReplace,  // it gets other content
  kRemove,
  kTake,  // what came with the program gives it up
};

// The imported models (store keys "model/<name>"), those that came with the program (nowhere in the store), and which
// of them has a piece of content. Thread-safe.
class ModelRegistry {
 public:
  explicit ModelRegistry(Store& store) : store_(store) {}

  // Asked before each change, with the registry locked: an error refuses it. For those who need a model as it is, or a
  // name that is not taken yet. Set before other threads know the registry; calls nothing of it.
  using Guard = std::function<absl::Status(std::string_view name, ModelChange change)>;
  void SetGuard(Guard guard) { guard_ = std::move(guard); }

  // DATA_LOSS names the key of a corrupt record.
  absl::Status Restore();

  // ALREADY_EXISTS when the name is taken by other content, unless that is to be replaced; the same content again
  // replaces the record (its file may have moved).
  absl::Status Add(ModelPtr model, bool replace = false);
  // NOT_FOUND as Find has it.
  absl::Status Remove(std::string_view name);

  // NOT_FOUND lists the models there are.
  absl::StatusOr<ModelPtr> Find(std::string_view name) const;
  std::vector<ModelPtr> List() const;  // by name

  struct Piece {
    ModelPtr model;
    const engine::Blob* blob = nullptr;  // of the model
    bool of_encoder = false;             // and not of the decoder's file
  };
  // NOT_FOUND when no model holds it.
  absl::StatusOr<Piece> FindPiece(std::string_view sha256) const;

 private:
  void Index() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  absl::Status NoSuchModel(std::string_view name) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Store& store_;
  Guard guard_ = [](std::string_view, ModelChange) { return absl::OkStatus(); };
  mutable absl::Mutex mutex_;
  std::map<std::string, ModelPtr, std::less<>> models_ ABSL_GUARDED_BY(mutex_);
  absl::flat_hash_map<std::string, Piece> pieces_ ABSL_GUARDED_BY(mutex_);
};

// 1 to 128 letters, digits, '.', '_', '-', ':' and '/', beginning with a letter or digit; not kAutoModel.
absl::Status CheckModelName(std::string_view name);

}  // namespace enigma::coordinator
