#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "engine/spec/manifest.h"
#include "engine/spec/model_spec.h"

namespace enigma::coordinator {

// What lets a model take pictures (docs/vision.md): a file of its own beside the decoder's. Immutable.
struct ImageEncoder {
  std::string path;
  uint64_t file_bytes = 0;
  int64_t modified_ns = 0;  // as Model's
  uint64_t parameters = 0;
  uint32_t image_size = 0;  // pixels of the square's side that a picture is fitted into
  uint32_t rows = 0;        // that a picture takes in the decoder, each as wide as that is
  engine::Manifest manifest;
  std::string manifest_json;
};

// An imported model: a file on the coordinator's disk and what was found in it. Immutable.
struct Model {
  std::string name;
  std::string path;
  uint64_t file_bytes = 0;
  int64_t modified_ns = 0;  // of the file when it was hashed; another time or size means that the hashes no longer hold
  std::string architecture;
  std::string quantisation;
  uint64_t parameters = 0;
  uint32_t layers = 0;
  uint32_t hidden = 0;
  uint32_t context = 0;  // trained length in tokens
  uint32_t vocab = 0;
  bool tied_embeddings = false;
  bool shipped = false;  // it came with the program (operations/shipped_models.h), and is in no store
  engine::Manifest manifest;
  std::string manifest_json;
  std::optional<ImageEncoder> encoder;  // absent: it takes no pictures

  // Names all that the model is, its encoder too; the manifest's where it has none.
  engine::Sha256 ContentId() const;
};

// shared because requests, loads and fetches go on using a model that was removed meanwhile.
using ModelPtr = std::shared_ptr<const Model>;

}  // namespace enigma::coordinator
