#include "coordinator/state/model_registry.h"

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "coordinator/state/record_json.h"

namespace enigma::coordinator {
namespace {

constexpr char kModelPrefix[] = "model/";

std::string KeyOf(std::string_view name) { return absl::StrCat(kModelPrefix, ToAbsl(name)); }

std::string RecordOfModel(const Model& model) {
  return nlohmann::json{{"name", model.name},
                        {"path", model.path},
                        {"file_bytes", model.file_bytes},
                        {"modified_ns", model.modified_ns},
                        {"architecture", model.architecture},
                        {"quantisation", model.quantisation},
                        {"parameters", model.parameters},
                        {"layers", model.layers},
                        {"hidden", model.hidden},
                        {"context", model.context},
                        {"vocab", model.vocab},
                        {"tied_embeddings", model.tied_embeddings},
                        {"manifest", model.manifest_json}}
      .dump();
}

absl::StatusOr<ModelPtr> ModelFromRecord(std::string_view key, std::string_view record) {
  ENIGMA_ASSIGN_OR_RETURN(const nlohmann::json json, JsonFromRecord(key, record));
  auto model = std::make_shared<Model>();
  try {
    json.at("name").get_to(model->name);
    json.at("path").get_to(model->path);
    json.at("file_bytes").get_to(model->file_bytes);
    json.at("modified_ns").get_to(model->modified_ns);
    json.at("architecture").get_to(model->architecture);
    json.at("quantisation").get_to(model->quantisation);
    json.at("parameters").get_to(model->parameters);
    json.at("layers").get_to(model->layers);
    json.at("hidden").get_to(model->hidden);
    json.at("context").get_to(model->context);
    json.at("vocab").get_to(model->vocab);
    json.at("tied_embeddings").get_to(model->tied_embeddings);
    json.at("manifest").get_to(model->manifest_json);
  } catch (const nlohmann::json::exception& error) {
    return CorruptRecord(key, error.what());
  }
  absl::StatusOr<engine::Manifest> manifest = engine::ManifestFromJson(model->manifest_json);
  if (!manifest.ok()) return CorruptRecord(key, manifest.status().ToString());
  model->manifest = *std::move(manifest);
  return model;
}

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
  if (!replace && found != models_.end() && found->second->manifest.id != model->manifest.id) {
    return absl::AlreadyExistsError(
        absl::StrCat("the name '", model->name, "' is taken by other content (from ", found->second->path,
                     "); choose another with --name, or let the new content take its place with --replace"));
  }
  if (found == models_.end()) {
    ENIGMA_RETURN_IF_ERROR(guard_(model->name, ModelChange::kAdd));
  } else if (found->second->manifest.id != model->manifest.id) {
    ENIGMA_RETURN_IF_ERROR(guard_(model->name, ModelChange::kReplace));
  }
  ENIGMA_RETURN_IF_ERROR(store_.Put(KeyOf(model->name), RecordOfModel(*model)));
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
  ENIGMA_RETURN_IF_ERROR(store_.Delete(KeyOf(name)));
  models_.erase(found);
  Index();
  return absl::OkStatus();
}

void ModelRegistry::Index() {
  pieces_.clear();
  for (const auto& [name, model] : models_) {
    for (const engine::Blob& blob : model->manifest.blobs) {
      pieces_.try_emplace(std::string(reinterpret_cast<const char*>(blob.hash.data()), blob.hash.size()), model, &blob);
    }
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

absl::StatusOr<std::pair<ModelPtr, const engine::Blob*>> ModelRegistry::FindPiece(std::string_view sha256) const {
  absl::MutexLock lock(&mutex_);
  const auto found = pieces_.find(ToAbsl(sha256));
  if (found == pieces_.end()) return absl::NotFoundError("no imported model has a piece with this hash");
  return found->second;
}

}  // namespace enigma::coordinator
