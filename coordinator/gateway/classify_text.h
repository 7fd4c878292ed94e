#pragma once

#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "coordinator/operations/control_plane.h"

namespace enigma::coordinator {

// What a router says of a text.
struct LabelReading {
  std::vector<std::string> labels;    // in the router's order
  std::vector<double> probabilities;  // one per label
  size_t best = 0;                    // the likeliest; of equals the first
  double threshold = 0;               // the router's own, below which it abstains
  std::string model;
  std::vector<std::string> nodes;  // that computed it

  const std::string& label() const { return labels[best]; }
  double confidence() const { return probabilities[best]; }
};

// Has the router read the text, which is one pass over its prompt on the router's worker. Waits for it, for at most
// `patience`, so not for threads that serve sockets. NOT_FOUND and FAILED_PRECONDITION as for any request (FindServed);
// INVALID_ARGUMENT for a model that is no router.
absl::StatusOr<LabelReading> ClassifyText(ControlPlane& plane, std::string_view model, std::string_view text,
                                          absl::Duration patience);

}  // namespace enigma::coordinator
