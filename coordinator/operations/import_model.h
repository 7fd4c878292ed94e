#pragma once

#include <string>

#include <absl/status/statusor.h>

#include "coordinator/operations/control_plane.h"
#include "engine/spec/manifest.h"

namespace enigma::coordinator {

struct ModelImport {
  std::string path;      // of a GGUF file on this machine; made absolute
  std::string encoder;   // of an image encoder's file, likewise; empty: the model takes no pictures
  std::string name;      // empty: the stem of `path`
  bool replace = false;  // other content of that name is forgotten; FAILED_PRECONDITION while it is in service
  bool shipped = false;  // it came with the program (Model::shipped)
  // It takes a shipped name also where an operator has that model in service, which is then loaded anew.
  bool also_in_service = false;
};

// Registers a model. Checks that the architecture is one the engine runs, that the tokenizer can be made, and that an
// encoder's rows are as wide as the decoder's. Reads the files as a whole. A name of a model that came with the program
// is free to take: that one is unloaded where only requests had it loaded; FAILED_PRECONDITION where an operator had,
// unless `also_in_service`.
absl::StatusOr<ModelPtr> ImportModel(ControlPlane& plane, const ModelImport& import,
                                     const engine::HashProgress& progress = nullptr);

}  // namespace enigma::coordinator
