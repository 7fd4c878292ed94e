#include "coordinator/state/record_json.h"

#include <absl/strings/str_cat.h>
#include <google/protobuf/util/json_util.h>

#include "base/text.h"

namespace enigma::coordinator {

absl::Status CorruptRecord(std::string_view key, std::string_view what) {
  return absl::DataLossError(absl::StrCat("the stored record '", ToAbsl(key), "' is damaged: ", ToAbsl(what)));
}

std::string RecordOf(const google::protobuf::Message& message) {
  std::string text;
  // Fails only for messages with Any or invalid UTF-8 in strings; an empty record is then found on reading.
  if (!google::protobuf::util::MessageToJsonString(message, &text).ok()) return "";
  return text;
}

absl::Status MessageFromRecord(std::string_view key, std::string_view record, google::protobuf::Message& message) {
  const auto status = google::protobuf::util::JsonStringToMessage(
      google::protobuf::StringPiece(record.data(), record.size()), &message);
  if (!status.ok()) return CorruptRecord(key, std::string(status.message().data(), status.message().size()));
  return absl::OkStatus();
}

absl::StatusOr<nlohmann::json> JsonFromRecord(std::string_view key, std::string_view record) {
  auto parsed = nlohmann::json::parse(record, nullptr, /*allow_exceptions=*/false);
  if (!parsed.is_object()) return CorruptRecord(key, "not a JSON object");
  return parsed;
}

}  // namespace enigma::coordinator
