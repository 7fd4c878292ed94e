#include "coordinator/operations/router_of.h"

#include <optional>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"

namespace enigma::coordinator {

absl::StatusOr<engine::RouterSpec> RouterOf(ControlPlane& plane, const Model& model) {
  ENIGMA_ASSIGN_OR_RETURN(const GgufPtr file, plane.files.Open(model));
  ENIGMA_ASSIGN_OR_RETURN(std::optional<engine::RouterSpec> router, engine::RouterSpecFromGguf(file->metadata()));
  if (router) return *std::move(router);
  return absl::InvalidArgumentError(
      absl::StrCat("'", model.name, "' is no router; `enigma train --task router` makes one"));
}

}  // namespace enigma::coordinator
