#pragma once

#include <string>

#include <absl/status/statusor.h>

#include "coordinator/operations/control_plane.h"
#include "engine/spec/manifest.h"

namespace enigma::coordinator {

// Registers the GGUF file at `path` (on this machine; made absolute) under `name`, or under its stem where that is
// empty. `replace`: other content of that name is forgotten, FAILED_PRECONDITION while it is in service. Checks that
// the architecture is one the engine runs and that the tokenizer can be made. Reads the whole file.
absl::StatusOr<ModelPtr> ImportModel(ControlPlane& plane, const std::string& path, std::string name, bool replace,
                                     const engine::HashProgress& progress);

}  // namespace enigma::coordinator
