#pragma once

#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <google/protobuf/message.h>
#include <nlohmann/json.hpp>

namespace enigma::coordinator {

// Records are JSON texts: legible in an emergency, and damage shows. Every error is DATA_LOSS and names the key.

std::string RecordOf(const google::protobuf::Message& message);
absl::Status MessageFromRecord(std::string_view key, std::string_view record, google::protobuf::Message& message);

// An object.
absl::StatusOr<nlohmann::json> JsonFromRecord(std::string_view key, std::string_view record);
absl::Status CorruptRecord(std::string_view key, std::string_view what);

}  // namespace enigma::coordinator
