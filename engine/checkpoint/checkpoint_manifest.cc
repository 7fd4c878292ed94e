// The manifest as JSON:
//   {"format": 1, "step": N, "files": [[NAME, BYTES, HEX], ...], "validation_loss": X or null, "made_by": TEXT,
//    "time_ms": N since 1970, "hash": HEX}
// "hash" is the SHA-256 of the object of these members without it, keys sorted, no white space.

#include "engine/checkpoint/checkpoint_manifest.h"

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <nlohmann/json.hpp>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/spec/gguf_cursor.h"

namespace enigma::engine {
namespace {

using Json = nlohmann::json;

constexpr uint64_t kFormat = 1;
constexpr size_t kJsonBytesMax = size_t{1} << 20;
constexpr size_t kNameBytesMax = 100;

absl::Status Wrong(std::string_view where, std::string_view why) {
  return absl::DataLossError(absl::StrCat("checkpoint manifest: ", ToAbsl(where), ": ", ToAbsl(why)));
}

// The member, or null where it is absent (which the readers below then refuse, naming it).
const Json& Member(const Json& object, const char* name) {
  static const Json kAbsent;
  const auto it = object.find(name);
  return it == object.end() ? kAbsent : *it;
}

absl::StatusOr<uint64_t> Number(const Json& value, const std::string& where) {
  if (!value.is_number_unsigned()) return Wrong(where, "must be a whole number, 0 or more");
  return value.get<uint64_t>();
}

absl::StatusOr<std::string> Text(const Json& value, const std::string& where) {
  if (!value.is_string()) return Wrong(where, "must be a string");
  return value.get<std::string>();
}

absl::StatusOr<Sha256> Hash(const Json& value, const std::string& where) {
  ENIGMA_ASSIGN_OR_RETURN(const std::string hex, Text(value, where));
  auto hash = Sha256FromHex(hex);
  if (!hash.ok()) return Wrong(where, ToStd(hash.status().message()));
  return hash;
}

absl::StatusOr<CheckpointFile> ReadFileEntry(const Json& json, const std::string& where) {
  if (!json.is_array() || json.size() != 3) return Wrong(where, "must be [name, bytes, hash]");
  CheckpointFile file;
  ENIGMA_ASSIGN_OR_RETURN(file.name, Text(json[0], where));
  if (const absl::Status named = CheckCheckpointFileName(file.name); !named.ok()) {
    return Wrong(where, ToStd(named.message()));
  }
  ENIGMA_ASSIGN_OR_RETURN(file.bytes, Number(json[1], where));
  ENIGMA_ASSIGN_OR_RETURN(file.hash, Hash(json[2], where));
  return file;
}

// The name that occurs twice, or empty.
std::string RepeatedName(const std::vector<CheckpointFile>& files) {
  std::set<std::string> names;
  for (const CheckpointFile& file : files) {
    if (!names.insert(file.name).second) return file.name;
  }
  return {};
}

Json WithoutHash(const CheckpointManifest& manifest) {
  Json files = Json::array();
  for (const CheckpointFile& file : manifest.files) {
    files.push_back(Json::array({file.name, file.bytes, HexOf(file.hash)}));
  }
  return {{"format", kFormat},
          {"step", manifest.step},
          {"files", std::move(files)},
          {"validation_loss", manifest.validation_loss ? Json(*manifest.validation_loss) : Json(nullptr)},
          {"made_by", manifest.made_by},
          {"time_ms", std::max<int64_t>(0, absl::ToUnixMillis(manifest.time))}};
}

std::string TextOf(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

}  // namespace

absl::Status CheckCheckpointFileName(std::string_view name) {
  const auto allowed = [](char c) {
    return absl::ascii_isalnum(static_cast<unsigned char>(c)) || c == '.' || c == '_' || c == '-';
  };
  if (name.empty() || name.size() > kNameBytesMax || name.front() == '.' || name == "manifest.json" ||
      !std::all_of(name.begin(), name.end(), allowed)) {
    return absl::InvalidArgumentError(absl::StrCat(
        QuotedName(name), " cannot name a file of a checkpoint: letters, digits, '.', '_' and '-' can, at most ",
        kNameBytesMax, ", no '.' first, and not manifest.json"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> CheckpointManifestToJson(const CheckpointManifest& manifest) {
  for (const CheckpointFile& file : manifest.files) ENIGMA_RETURN_IF_ERROR(CheckCheckpointFileName(file.name));
  if (const std::string repeated = RepeatedName(manifest.files); !repeated.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("checkpoint: two files are called ", QuotedName(repeated)));
  }
  if (manifest.validation_loss && !std::isfinite(*manifest.validation_loss)) {
    return absl::InvalidArgumentError(
        absl::StrCat("checkpoint: a validation loss of ", *manifest.validation_loss, " is none"));
  }
  Json json = WithoutHash(manifest);
  const std::string text = TextOf(json);
  if (Json::parse(text)["made_by"] != manifest.made_by) {
    return absl::InvalidArgumentError(
        absl::StrCat("checkpoint: made by ", QuotedName(manifest.made_by), ": the text is not UTF-8"));
  }
  json["hash"] = HexOf(Sha256Of(text));
  return json.dump();
}

absl::StatusOr<CheckpointManifest> CheckpointManifestFromJson(std::string_view json_text) {
  if (json_text.size() > kJsonBytesMax) {
    return Wrong("text", absl::StrCat("has ", json_text.size(), " bytes; at most ", kJsonBytesMax, " are allowed"));
  }
  const Json json = Json::parse(json_text.begin(), json_text.end(), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return Wrong("text", "is not a JSON object");
  ENIGMA_ASSIGN_OR_RETURN(const uint64_t format, Number(Member(json, "format"), "format"));
  if (format != kFormat) {
    return absl::UnimplementedError(absl::StrCat("checkpoint manifest: format ", format, " is not supported; ", kFormat,
                                                 " is; it was written by another version"));
  }
  CheckpointManifest manifest;
  ENIGMA_ASSIGN_OR_RETURN(manifest.step, Number(Member(json, "step"), "step"));
  const Json& files = Member(json, "files");
  if (!files.is_array()) return Wrong("files", "must be a list");
  for (size_t i = 0; i < files.size(); ++i) {
    ENIGMA_ASSIGN_OR_RETURN(CheckpointFile file, ReadFileEntry(files[i], absl::StrCat("files[", i, "]")));
    manifest.files.push_back(std::move(file));
  }
  if (const std::string repeated = RepeatedName(manifest.files); !repeated.empty()) {
    return Wrong("files", absl::StrCat("two are called ", QuotedName(repeated)));
  }
  const Json& loss = Member(json, "validation_loss");
  if (!loss.is_null() && !loss.is_number()) return Wrong("validation_loss", "must be a number or null");
  if (loss.is_number()) manifest.validation_loss = loss.get<double>();
  ENIGMA_ASSIGN_OR_RETURN(manifest.made_by, Text(Member(json, "made_by"), "made_by"));
  ENIGMA_ASSIGN_OR_RETURN(const uint64_t time_ms, Number(Member(json, "time_ms"), "time_ms"));
  if (time_ms > uint64_t{1} << 60) return Wrong("time_ms", "is too large");
  manifest.time = absl::FromUnixMillis(static_cast<int64_t>(time_ms));
  ENIGMA_ASSIGN_OR_RETURN(const Sha256 hash, Hash(Member(json, "hash"), "hash"));
  if (Sha256Of(TextOf(WithoutHash(manifest))) != hash) {
    return Wrong("hash", "is not that of the rest; the manifest is damaged");
  }
  return manifest;
}

}  // namespace enigma::engine
