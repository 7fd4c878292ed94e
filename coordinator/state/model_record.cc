#include "coordinator/state/model_record.h"

#include <memory>
#include <utility>

#include "base/status_macros.h"
#include "coordinator/state/record_json.h"

namespace enigma::coordinator {
namespace {

nlohmann::json EncoderRecord(const ImageEncoder& encoder) {
  return {{"path", encoder.path},
          {"file_bytes", encoder.file_bytes},
          {"modified_ns", encoder.modified_ns},
          {"parameters", encoder.parameters},
          {"image_size", encoder.image_size},
          {"rows", encoder.rows},
          {"manifest", encoder.manifest_json}};
}

ImageEncoder ReadEncoderRecord(const nlohmann::json& json) {
  ImageEncoder encoder;
  json.at("path").get_to(encoder.path);
  json.at("file_bytes").get_to(encoder.file_bytes);
  json.at("modified_ns").get_to(encoder.modified_ns);
  json.at("parameters").get_to(encoder.parameters);
  json.at("image_size").get_to(encoder.image_size);
  json.at("rows").get_to(encoder.rows);
  json.at("manifest").get_to(encoder.manifest_json);
  return encoder;
}

}  // namespace

std::string RecordOfModel(const Model& model) {
  nlohmann::json json = {{"name", model.name},
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
                         {"manifest", model.manifest_json}};
  if (model.encoder) json["encoder"] = EncoderRecord(*model.encoder);
  return json.dump();
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
    if (const auto encoder = json.find("encoder"); encoder != json.end()) model->encoder = ReadEncoderRecord(*encoder);
  } catch (const nlohmann::json::exception& error) {
    return CorruptRecord(key, error.what());
  }
  absl::StatusOr<engine::Manifest> manifest = engine::ManifestFromJson(model->manifest_json);
  if (!manifest.ok()) return CorruptRecord(key, manifest.status().ToString());
  model->manifest = *std::move(manifest);
  if (model->encoder) {
    absl::StatusOr<engine::Manifest> encoder = engine::ManifestFromJson(model->encoder->manifest_json);
    if (!encoder.ok()) return CorruptRecord(key, encoder.status().ToString());
    model->encoder->manifest = *std::move(encoder);
  }
  return model;
}

}  // namespace enigma::coordinator
