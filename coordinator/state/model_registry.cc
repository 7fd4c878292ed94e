#include "coordinator/state/model_registry.h"

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "coordinator/state/model_record.h"

namespace enigma::coordinator {
namespace {

constexpr char kModelPrefix[] = "model/";

std::string ModelKey(std::string_view name) { return absl::StrCat(kModelPrefix, ToAbsl(name)); }

}  // namespace

absl::Status CheckModelName(std::string_view name) {
  if (name == kAutoModel) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", kAutoModel, "' cannot name a model: it stands for whichever specialist suits a request"));
  }
  bool good = !name.empty() && name.size() <= 128 && absl::ascii_isalnum(static_cast<unsigned char>(name.front()));
  for (const char c : name) {
    good = good && (absl::ascii_isalnum(static_cast<unsigned char>(c)) ||
                    std::string_view("._-:/").find(c) != std::string_view::npos);
  }
  if (good) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(
      "'", ToAbsl(name), "' cannot name a model: use 1 to 128 letters, digits, '.', '_', '-', ':' and '/', ",
      "beginning with a letter or digit"));
}

absl::Status ModelRegistry::Restore() {
  absl::MutexLock lock(&mutex_);
  ENIGMA_RETURN_IF_ERROR(
      store_.Scan(kModelPrefix, [this](std::string_view key, std::string_view value) -> absl::Status {
        mutex_.AssertHeld();
        ENIGMA_ASSIGN_OR_RETURN(ModelPtr model, ModelFromRecord(key, value));
        models_[model->name] = std::move(model);
        return absl::OkStatus();
      }));
  Index();
  return absl::OkStatus();
}

absl::Status ModelRegistry::Add(ModelPtr model, bool replace) {
  ENIGMA_RETURN_IF_ERROR(CheckModelName(model->name));
  absl::MutexLock lock(&mutex_);
  const auto found = models_.find(model->name);
  if (!replace && found != models_.end() && found->second->ContentId() != model->ContentId()) {
    return absl::AlreadyExistsError(
        absl::StrCat("the name '", model->name, "' is taken by other content (from ", found->second->path,
                     "); choose another with --name, or let the new content take its place with --replace"));
  }
  if (found == models_.end()) {
    // A job that makes what is to take this one's name only has it later.
    if (!model->shipped) ENIGMA_RETURN_IF_ERROR(guard_(model->name, ModelChange::kAdd));
  } else if (found->second->ContentId() != model->ContentId()) {
    const bool takes = found->second->shipped && !model->shipped;
    ENIGMA_RETURN_IF_ERROR(guard_(model->name, takes ? ModelChange::kTake : ModelChange::kReplace));
  }
  if (!model->shipped) ENIGMA_RETURN_IF_ERROR(store_.Put(ModelKey(model->name), RecordOfModel(*model)));
  std::string name = model->name;
  models_[std::move(name)] = std::move(model);
  Index();
  return absl::OkStatus();
}

absl::Status ModelRegistry::Remove(std::string_view name) {
  absl::MutexLock lock(&mutex_);
  ENIGMA_RETURN_IF_ERROR(guard_(name, ModelChange::kRemove));
  const auto found = models_.find(name);
  if (found == models_.end()) return NoSuchModel(name);
  ENIGMA_RETURN_IF_ERROR(store_.Delete(ModelKey(name)));
  models_.erase(found);
  Index();
  return absl::OkStatus();
}

void ModelRegistry::Index() {
  pieces_.clear();
  const auto add = [this](const ModelPtr& model, const engine::Manifest& manifest, bool of_encoder) {
    mutex_.AssertHeld();
    for (const engine::Blob& blob : manifest.blobs) {
      pieces_.try_emplace(std::string(reinterpret_cast<const char*>(blob.hash.data()), blob.hash.size()),
                          Piece{model, &blob, of_encoder});
    }
  };
  for (const auto& [name, model] : models_) {
    add(model, model->manifest, /*of_encoder=*/false);
    if (model->encoder) add(model, model->encoder->manifest, /*of_encoder=*/true);
  }
}

absl::StatusOr<ModelPtr> ModelRegistry::Find(std::string_view name) const {
  absl::MutexLock lock(&mutex_);
  if (const auto found = models_.find(name); found != models_.end()) return found->second;
  return NoSuchModel(name);
}

absl::Status ModelRegistry::NoSuchModel(std::string_view name) const {
  std::vector<std::string> names;
  for (const auto& entry : models_) names.push_back(entry.first);
  return absl::NotFoundError(absl::StrCat("no model is called '", ToAbsl(name), "'; ",
                                          names.empty() ? "none is imported yet: `enigma models import PATH`"
                                                        : absl::StrCat("known: ", absl::StrJoin(names, ", "))));
}

std::vector<ModelPtr> ModelRegistry::List() const {
  absl::MutexLock lock(&mutex_);
  std::vector<ModelPtr> models;
  models.reserve(models_.size());
  for (const auto& entry : models_) models.push_back(entry.second);
  return models;
}

absl::StatusOr<ModelRegistry::Piece> ModelRegistry::FindPiece(std::string_view sha256) const {
  absl::MutexLock lock(&mutex_);
  const auto found = pieces_.find(ToAbsl(sha256));
  if (found == pieces_.end()) return absl::NotFoundError("no imported model has a piece with this hash");
  return found->second;
}

}  // namespace enigma::coordinator
