#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "engine/spec/manifest.h"
#include "engine/spec/model_spec.h"

namespace enigma::coordinator {

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
  engine::Manifest manifest;
  std::string manifest_json;
};

// shared because requests, loads and fetches go on using a model that was removed meanwhile.
using ModelPtr = std::shared_ptr<const Model>;

}  // namespace enigma::coordinator
