#pragma once

#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "coordinator/state/model.h"

namespace enigma::coordinator {

// A model as the store keeps it, JSON. Records of before image encoders have none.
std::string RecordOfModel(const Model& model);
// DATA_LOSS names `key`.
absl::StatusOr<ModelPtr> ModelFromRecord(std::string_view key, std::string_view record);

}  // namespace enigma::coordinator
