#pragma once

#include <string>
#include <string_view>
#include <utility>

#include <absl/status/status.h>

#include "coordinator/operations/control_plane.h"
#include "coordinator/operations/use_specialists.h"
#include "coordinator/routing/specialist_registry.h"
#include "proto/cluster.pb.h"

namespace enigma::coordinator {

// Where the registry of specialists is seen and changed from outside. Thread-safe.
class SpecialistsOffice {
 public:
  // `path`: the file that holds it; empty: none, and a change lasts until the coordinator ends. Borrows the rest.
  SpecialistsOffice(ControlPlane& plane, SpecialistRegistry& registry, std::string path)
      : plane_(plane), registry_(registry), path_(std::move(path)) {}

  const SpecialistRegistry& registry() const { return registry_; }
  const std::string& path() const { return path_; }

  // All of it, so for who may administer.
  enigma::v1::SpecialistsReply Describe() const;
  // StoreSpecialists, likewise. A model that is missing is INVALID_ARGUMENT: it is named in the text, not by the call.
  absl::Status Replace(std::string_view yaml);

 private:
  ControlPlane& plane_;
  SpecialistRegistry& registry_;
  const std::string path_;
};

}  // namespace enigma::coordinator
