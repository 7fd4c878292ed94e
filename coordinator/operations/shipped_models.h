#pragma once

#include <cstddef>
#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "coordinator/operations/control_plane.h"
#include "coordinator/routing/specialist_registry.h"

namespace enigma::coordinator {

// Models that come with the program, in a folder: X.gguf is registered as X, with X.encoder.gguf as its image encoder
// where that is there, and specialists.yaml is the registry behind the model "auto" where there is no other. They are
// taken anew at each start and are nowhere in the store, so another folder, or none, is all it takes to change them.

// Registers the models of `folder` (an absolute path). A name that is taken stays whoever's it is, unless it was
// this very file that was imported and it has changed since; a file of no use is left out; the log says so. How many
// files of models there are, good or not; NOT_FOUND when the folder cannot be read.
[[nodiscard]] absl::StatusOr<size_t> RegisterShippedModels(ControlPlane& plane, const std::string& folder);

// Of models that are gone, since the folder has changed or is left out, nothing that was loaded on demand is wanted any
// more.
[[nodiscard]] absl::Status ForgetDemandForAbsent(ControlPlane& plane);

// Puts the folder's registry in force, without what there is no model for. What is wrong with it is logged, and told
// like a fault of any other registry; then nothing is in force. Nothing where the folder has none.
void UseShippedSpecialists(ControlPlane& plane, SpecialistRegistry& registry, const std::string& folder);

}  // namespace enigma::coordinator
