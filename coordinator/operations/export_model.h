#pragma once

#include <functional>
#include <string_view>

#include <absl/status/status.h>

#include "coordinator/operations/control_plane.h"
#include "proto/cluster.pb.h"

namespace enigma::coordinator {

// Hands out the file of a model, or of its image encoder, in chunks, until `send` returns false (CANCELLED). NOT_FOUND
// lists the models there are; FAILED_PRECONDITION when there is no such file, or it is not the one that was imported
// any more, also while it is read.
absl::Status ExportModel(ControlPlane& plane, std::string_view name, bool encoder,
                         const std::function<bool(const enigma::v1::ExportModelChunk& chunk)>& send);

}  // namespace enigma::coordinator
