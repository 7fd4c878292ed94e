#include "coordinator/scheduling/admission.h"

#include <absl/strings/str_cat.h>

namespace enigma::coordinator {

absl::Status Admit(const AdmissionView& view) {
  if (view.replicas_in_service == 0) {
    return absl::UnavailableError(absl::StrCat("no replica of '", view.model, "' is in service right now"));
  }
  if (view.waiting >= view.waiting_max && !view.last_gives_way) {
    return absl::ResourceExhaustedError(absl::StrCat("'", view.model, "' is busy: ", view.running, " requests run and ",
                                                     view.waiting, " wait, which is the limit; try again later"));
  }
  return absl::OkStatus();
}

}  // namespace enigma::coordinator
