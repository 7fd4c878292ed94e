// The manifest as JSON:
//   {"format": 1, "model": NAME, "id": HEX, "file_bytes": N,
//    "blobs": [{"kind": "head|shared|embedding|layer|output|encoder", "layer": N, "hash": HEX, "bytes": N,
//               "tensors": [[NAME, OFFSET_IN_BLOB, OFFSET_IN_FILE, BYTES], ...]}, ...]}

#include <algorithm>
#include <array>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>
#include <nlohmann/json.hpp>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/spec/gguf_cursor.h"
#include "engine/spec/manifest.h"

namespace enigma::engine {
namespace {

using Json = nlohmann::json;

constexpr uint64_t kManifestFormat = 1;
constexpr size_t kJsonBytesMax = size_t{64} << 20;
constexpr std::array<std::pair<BlobKind, const char*>, 6> kKindNames = {{
    {BlobKind::kHead, "head"},
    {BlobKind::kShared, "shared"},
    {BlobKind::kEmbedding, "embedding"},
    {BlobKind::kLayer, "layer"},
    {BlobKind::kOutput, "output"},
    {BlobKind::kEncoder, "encoder"},
}};

const char* NameOf(BlobKind kind) {
  for (const auto& [known, name] : kKindNames) {
    if (known == kind) return name;
  }
  return "unknown";
}

absl::Status Wrong(std::string_view where, std::string_view why) {
  return absl::InvalidArgumentError(absl::StrCat("manifest: ", ToAbsl(where), ": ", ToAbsl(why)));
}

absl::StatusOr<uint64_t> Number(const Json& value, const std::string& where) {
  if (!value.is_number_unsigned()) return Wrong(where, "must be a whole number, 0 or more");
  return value.get<uint64_t>();
}

absl::StatusOr<std::string> Text(const Json& value, const std::string& where) {
  if (!value.is_string()) return Wrong(where, "must be a string");
  return value.get<std::string>();
}

// The member, or null where it is absent (which the readers above then refuse, naming it).
const Json& Member(const Json& object, const char* name) {
  static const Json kAbsent;
  const auto it = object.find(name);
  return it == object.end() ? kAbsent : *it;
}

absl::StatusOr<Sha256> Hash(const Json& value, const std::string& where) {
  ENIGMA_ASSIGN_OR_RETURN(const std::string hex, Text(value, where));
  auto hash = Sha256FromHex(hex);
  if (!hash.ok()) return Wrong(where, ToStd(hash.status().message()));
  return hash;
}

absl::StatusOr<BlobTensor> ReadBlobTensor(const Json& json, const std::string& where) {
  if (!json.is_array() || json.size() != 4) return Wrong(where, "must be [name, offset, offset in file, bytes]");
  BlobTensor tensor;
  ENIGMA_ASSIGN_OR_RETURN(tensor.name, Text(json[0], where));
  ENIGMA_ASSIGN_OR_RETURN(tensor.offset_in_blob, Number(json[1], where));
  ENIGMA_ASSIGN_OR_RETURN(tensor.offset_in_file, Number(json[2], where));
  ENIGMA_ASSIGN_OR_RETURN(tensor.bytes, Number(json[3], where));
  return tensor;
}

// Tensors lie aligned, in order, apart, and fill the piece to its end; each lies within the file.
absl::Status CheckLayout(const Blob& blob, uint64_t file_bytes, const std::string& where) {
  if (blob.bytes > file_bytes + blob.tensors.size() * kBlobAlignment) {
    return Wrong(where, absl::StrCat("claims ", blob.bytes, " bytes, more than the model file has (", file_bytes, ")"));
  }
  uint64_t end = 0;
  for (const BlobTensor& tensor : blob.tensors) {
    const std::string tensor_where = absl::StrCat(where, ", tensor ", QuotedName(tensor.name));
    if (tensor.bytes > file_bytes || tensor.offset_in_file > file_bytes - tensor.bytes) {
      return Wrong(tensor_where, absl::StrCat(tensor.bytes, " bytes at ", tensor.offset_in_file,
                                              " reach beyond the model file's ", file_bytes));
    }
    if (tensor.offset_in_blob != (end + kBlobAlignment - 1) / kBlobAlignment * kBlobAlignment) {
      return Wrong(tensor_where, absl::StrCat("lies at ", tensor.offset_in_blob, ", not at the next multiple of ",
                                              kBlobAlignment, " after byte ", end));
    }
    end = tensor.offset_in_blob + tensor.bytes;
  }
  if (blob.kind != BlobKind::kHead && end != blob.bytes) {
    return Wrong(where, absl::StrCat("has ", blob.bytes, " bytes, but its tensors end at ", end));
  }
  return absl::OkStatus();
}

absl::StatusOr<Blob> ReadBlobEntry(const Json& json, uint64_t file_bytes, const std::string& where) {
  if (!json.is_object()) return Wrong(where, "must be an object");
  Blob blob;
  ENIGMA_ASSIGN_OR_RETURN(const std::string kind, Text(Member(json, "kind"), where + ".kind"));
  const auto* known =
      std::find_if(kKindNames.begin(), kKindNames.end(), [&](const auto& k) { return kind == k.second; });
  if (known == kKindNames.end()) return Wrong(where + ".kind", absl::StrCat(QuotedName(kind), " is unknown"));
  blob.kind = known->first;
  if (blob.kind == BlobKind::kLayer) {
    ENIGMA_ASSIGN_OR_RETURN(const uint64_t layer, Number(Member(json, "layer"), where + ".layer"));
    if (layer > UINT32_MAX) return Wrong(where + ".layer", "is too large");
    blob.layer = static_cast<uint32_t>(layer);
  }
  ENIGMA_ASSIGN_OR_RETURN(blob.hash, Hash(Member(json, "hash"), where + ".hash"));
  ENIGMA_ASSIGN_OR_RETURN(blob.bytes, Number(Member(json, "bytes"), where + ".bytes"));
  const Json& tensors = Member(json, "tensors");
  if (!tensors.is_array()) return Wrong(where + ".tensors", "must be a list");
  if (tensors.empty() != (blob.kind == BlobKind::kHead)) {
    return Wrong(where + ".tensors", "must be empty for the head, and only for it");
  }
  blob.tensors.reserve(tensors.size());
  for (size_t i = 0; i < tensors.size(); ++i) {
    ENIGMA_ASSIGN_OR_RETURN(auto tensor, ReadBlobTensor(tensors[i], absl::StrCat(where, ".tensors[", i, "]")));
    blob.tensors.push_back(std::move(tensor));
  }
  ENIGMA_RETURN_IF_ERROR(CheckLayout(blob, file_bytes, where));
  return blob;
}

// Head first; then shared, embedding, layers 0, 1, 2, ..., output, or encoder; none twice.
absl::Status CheckOrder(const std::vector<Blob>& blobs) {
  if (blobs.empty() || blobs[0].kind != BlobKind::kHead) return Wrong("blobs", "the first must be the head");
  const auto rank = [](BlobKind kind) {
    return std::find_if(kKindNames.begin(), kKindNames.end(), [&](const auto& k) { return k.first == kind; }) -
           kKindNames.begin();
  };
  for (size_t i = 1; i < blobs.size(); ++i) {
    const bool next_layer = blobs[i].kind == BlobKind::kLayer && blobs[i - 1].kind == BlobKind::kLayer &&
                            blobs[i].layer == blobs[i - 1].layer + 1;
    const bool next_kind = rank(blobs[i].kind) > rank(blobs[i - 1].kind) && blobs[i].layer == 0;
    if (!next_layer && !next_kind) {
      return Wrong(absl::StrCat("blobs[", i, "]"),
                   absl::StrCat(NameOf(blobs[i].kind), " ", blobs[i].layer, " must not follow ",
                                NameOf(blobs[i - 1].kind), " ", blobs[i - 1].layer));
    }
  }
  return absl::OkStatus();
}

}  // namespace

std::string ManifestToJson(const Manifest& manifest) {
  Json blobs = Json::array();
  for (const Blob& blob : manifest.blobs) {
    Json tensors = Json::array();
    for (const BlobTensor& tensor : blob.tensors) {
      tensors.push_back(Json::array({tensor.name, tensor.offset_in_blob, tensor.offset_in_file, tensor.bytes}));
    }
    Json entry = {{"kind", NameOf(blob.kind)}, {"hash", HexOf(blob.hash)}, {"bytes", blob.bytes}};
    if (blob.kind == BlobKind::kLayer) entry["layer"] = blob.layer;
    entry["tensors"] = std::move(tensors);
    blobs.push_back(std::move(entry));
  }
  const Json json = {{"format", kManifestFormat},
                     {"model", manifest.model},
                     {"id", HexOf(manifest.id)},
                     {"file_bytes", manifest.file_bytes},
                     {"blobs", std::move(blobs)}};
  // Names come from files; bytes that are no UTF-8 are replaced rather than thrown over.
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

absl::StatusOr<Manifest> ManifestFromJson(std::string_view json_text) {
  if (json_text.size() > kJsonBytesMax) {
    return Wrong("text", absl::StrCat("has ", json_text.size(), " bytes; at most ", kJsonBytesMax, " are allowed"));
  }
  const Json json = Json::parse(json_text.begin(), json_text.end(), nullptr, /*allow_exceptions=*/false);
  if (!json.is_object()) return Wrong("text", "is not a JSON object");
  ENIGMA_ASSIGN_OR_RETURN(const uint64_t format, Number(Member(json, "format"), "format"));
  if (format != kManifestFormat)
    return Wrong("format", absl::StrCat(format, " is not supported; ", kManifestFormat, " is"));

  Manifest manifest;
  ENIGMA_ASSIGN_OR_RETURN(manifest.model, Text(Member(json, "model"), "model"));
  ENIGMA_ASSIGN_OR_RETURN(manifest.id, Hash(Member(json, "id"), "id"));
  ENIGMA_ASSIGN_OR_RETURN(manifest.file_bytes, Number(Member(json, "file_bytes"), "file_bytes"));
  const Json& blobs = Member(json, "blobs");
  if (!blobs.is_array()) return Wrong("blobs", "must be a list");
  manifest.blobs.reserve(blobs.size());
  Sha256Hasher id;
  for (size_t i = 0; i < blobs.size(); ++i) {
    ENIGMA_ASSIGN_OR_RETURN(auto blob, ReadBlobEntry(blobs[i], manifest.file_bytes, absl::StrCat("blobs[", i, "]")));
    id.Update(blob.hash.data(), blob.hash.size());
    manifest.blobs.push_back(std::move(blob));
  }
  ENIGMA_RETURN_IF_ERROR(CheckOrder(manifest.blobs));
  if (id.Finish() != manifest.id) return Wrong("id", "is not the hash over the hashes of the blobs");
  return manifest;
}

}  // namespace enigma::engine
