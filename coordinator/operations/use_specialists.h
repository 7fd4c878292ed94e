#pragma once

#include <string>
#include <string_view>

#include <absl/status/status.h>

#include "coordinator/operations/control_plane.h"
#include "coordinator/routing/specialist_registry.h"

namespace enigma::coordinator {

// What the registry of models knows, for the check of a registry of specialists.
KnownModels KnownModelsOf(ControlPlane& plane);

// Checks a registry of specialists and puts it in force. Errors as ReadSpecialists; then nothing has changed. `file`:
// what it is called in messages.
absl::Status UseSpecialists(ControlPlane& plane, SpecialistRegistry& registry, std::string_view yaml,
                            std::string_view file);

// Likewise, but without the models that are missing (WithoutMissing), which the log tells.
absl::Status UseWhatIsThere(ControlPlane& plane, SpecialistRegistry& registry, std::string_view yaml,
                            std::string_view file);

// As UseSpecialists, and keeps it in the file at `path`, where that is not empty: whole, or not at all. UNAVAILABLE
// when it cannot be written; then nothing has changed.
absl::Status StoreSpecialists(ControlPlane& plane, SpecialistRegistry& registry, std::string_view yaml,
                              const std::string& path);

}  // namespace enigma::coordinator
