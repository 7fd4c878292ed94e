#pragma once

#include <functional>
#include <string>
#include <vector>

#include <absl/status/status.h>

#include "coordinator/operations/control_plane.h"
#include "proto/cluster.pb.h"

namespace enigma::coordinator {

// What may go to make room.
struct Evictable {
  std::vector<std::string> models;  // idle ones, in the order in which they go
  // Takes an idle model for the unloading: from then on no request begins with it. False where one has.
  std::function<bool(const std::string& model)> claim;
  // What was claimed is gone, or stays after all.
  std::function<void(const std::string& model)> release;
};

// Makes room for a model by unloading others: as few as do, in their order. Nothing goes where there is room, or where
// all of them together would not be enough: then FAILED_PRECONDITION says what is missing. One that has taken up work
// meanwhile stays, and the next goes. Returns once the workers report the memory as free, or after a while; `cancelled`
// (may be null) ends it sooner.
absl::Status MakeRoom(ControlPlane& plane, const std::string& model, const enigma::v1::PlanOptions& options,
                      Evictable evictable, const std::function<bool()>& cancelled);

}  // namespace enigma::coordinator
