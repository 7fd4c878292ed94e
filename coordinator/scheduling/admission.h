#pragma once

#include <cstddef>
#include <string>

#include <absl/status/status.h>

namespace enigma::coordinator {

// What admission sees of one model.
struct AdmissionView {
  std::string model;
  size_t replicas_in_service = 0;
  size_t running = 0;
  size_t waiting = 0;
  size_t waiting_max = 0;
  bool last_gives_way = false;  // the last of those that wait would, since the newcomer's turn is before its own
};

// Whether one more request may come in: OK (to run or to wait), UNAVAILABLE when nothing serves the model, or
// RESOURCE_EXHAUSTED with a sentence when the queue is full. Pure.
absl::Status Admit(const AdmissionView& view);

}  // namespace enigma::coordinator
