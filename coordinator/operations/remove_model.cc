#include "coordinator/operations/remove_model.h"

#include <algorithm>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"

namespace enigma::coordinator {

absl::Status CheckNotPlaced(const ControlPlane& plane, std::string_view name) {
  const auto wanted = plane.wanted.List();
  const bool placed = !plane.replicas.OfModel(name).empty() ||
                      std::any_of(wanted.begin(), wanted.end(), [&](const auto& w) { return w.model == name; });
  if (!placed) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("'", ToAbsl(name), "' is in service; `enigma unload ", ToAbsl(name), "` first"));
}

absl::Status RemoveModel(ControlPlane& plane, std::string_view name) {
  ENIGMA_RETURN_IF_ERROR(CheckNotPlaced(plane, name));
  ENIGMA_RETURN_IF_ERROR(plane.models.Remove(name));
  plane.files.Forget(name);
  return absl::OkStatus();
}

}  // namespace enigma::coordinator
