#include "engine/spec/manifest.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <utility>

#include <absl/status/status.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/spec/gguf_cursor.h"
#include "engine/spec/model_spec.h"
#include "engine/spec/vision_spec.h"

namespace enigma::engine {
namespace {

struct Piece {
  BlobKind kind;
  uint32_t layer = 0;
};

// Which piece a tensor belongs to, by its name.
absl::StatusOr<Piece> PieceOf(const GgufFile& file, const TensorInfo& tensor) {
  const std::string_view name = tensor.name;
  if (name == "token_embd.weight") return Piece{BlobKind::kEmbedding};
  if (name == "output_norm.weight" || name == "output.weight") return Piece{BlobKind::kOutput};
  if (name == kRopeFactorsTensor) return Piece{BlobKind::kShared};
  constexpr std::string_view kPrefix = "blk.";
  if (name.starts_with(kPrefix)) {
    const std::string_view rest = name.substr(kPrefix.size());
    const std::string_view number = rest.substr(0, rest.find('.'));
    uint32_t layer = 0;
    if (number.size() < rest.size() && absl::SimpleAtoi(ToAbsl(number), &layer)) return Piece{BlobKind::kLayer, layer};
  }
  return absl::UnimplementedError(absl::StrCat(file.path(), ": tensor ", QuotedName(name), " at byte ", tensor.offset,
                                               " belongs to no layer, embedding or output of a known model"));
}

// The order of the pieces in a manifest.
int Rank(BlobKind kind) {
  switch (kind) {
    case BlobKind::kHead:
      return 0;
    case BlobKind::kShared:
      return 1;
    case BlobKind::kEmbedding:
      return 2;
    case BlobKind::kLayer:
      return 3;
    case BlobKind::kOutput:
      return 4;
    case BlobKind::kEncoder:
      return 5;
  }
  return 6;
}

void AddTensor(const TensorInfo& tensor, Blob& blob) {
  const uint64_t offset = (blob.bytes + kBlobAlignment - 1) / kBlobAlignment * kBlobAlignment;
  blob.tensors.push_back({tensor.name, offset, tensor.offset, tensor.bytes});
  blob.bytes = offset + tensor.bytes;
}

absl::StatusOr<Sha256> HashOf(const GgufFile& file, const Blob& blob) {
  constexpr uint64_t kChunk = uint64_t{1} << 20;
  std::vector<uint8_t> chunk(std::min(kChunk, blob.bytes));
  Sha256Hasher hasher;
  for (uint64_t offset = 0; offset < blob.bytes; offset += kChunk) {
    const std::span<uint8_t> out(chunk.data(), std::min(kChunk, blob.bytes - offset));
    ENIGMA_RETURN_IF_ERROR(ReadBlob(file, blob, offset, out));
    hasher.Update(out.data(), out.size());
  }
  return hasher.Finish();
}

// Copies the part of `source`, which lies at [at, at + source.size()) of the blob, that falls into `out` at `offset`.
void CopyOverlap(std::span<const uint8_t> source, uint64_t at, uint64_t offset, std::span<uint8_t> out) {
  const uint64_t first = std::max(at, offset);
  const uint64_t last = std::min(at + source.size(), offset + out.size());
  if (first < last) std::memcpy(out.data() + (first - offset), source.data() + (first - at), last - first);
}

}  // namespace

absl::StatusOr<Manifest> BuildManifest(const GgufFile& file, std::string model, const HashProgress& progress) {
  std::map<std::pair<int, uint32_t>, Blob> pieces;
  const bool encoder = file.metadata().StringOr("general.architecture", "") == kVisionArchitecture;
  for (const TensorInfo& tensor : file.tensors()) {
    Piece piece{BlobKind::kEncoder};
    if (!encoder) {
      ENIGMA_ASSIGN_OR_RETURN(piece, PieceOf(file, tensor));
    }
    Blob& blob = pieces[{Rank(piece.kind), piece.layer}];
    blob.kind = piece.kind;
    blob.layer = piece.layer;
    AddTensor(tensor, blob);
  }
  Manifest manifest;
  manifest.model = std::move(model);
  manifest.file_bytes = file.file_size();
  manifest.blobs.push_back({BlobKind::kHead, 0, {}, file.HeadBytes().size(), {}});
  uint32_t layer_expected = 0;
  for (auto& [rank, blob] : pieces) {
    if (blob.kind == BlobKind::kLayer && blob.layer != layer_expected++) {
      return absl::InvalidArgumentError(
          absl::StrCat(file.path(), ": layer ", layer_expected - 1, " has no tensors, layer ", blob.layer, " has"));
    }
    manifest.blobs.push_back(std::move(blob));
  }
  uint64_t bytes_total = 0;
  for (const Blob& blob : manifest.blobs) bytes_total += blob.bytes;
  Sha256Hasher id;
  uint64_t bytes_hashed = 0;
  for (Blob& blob : manifest.blobs) {
    ENIGMA_ASSIGN_OR_RETURN(blob.hash, HashOf(file, blob));
    id.Update(blob.hash.data(), blob.hash.size());
    bytes_hashed += blob.bytes;
    if (progress && !progress(bytes_hashed, bytes_total)) {
      return absl::CancelledError(absl::StrCat(file.path(), ": hashing was cancelled"));
    }
  }
  manifest.id = id.Finish();
  return manifest;
}

absl::Status ReadBlob(const GgufFile& file, const Blob& blob, uint64_t offset, std::span<uint8_t> out) {
  if (offset > blob.bytes || out.size() > blob.bytes - offset) {
    return absl::OutOfRangeError(absl::StrCat(file.path(), ": bytes [", offset, ", ", offset + out.size(),
                                              ") are outside the piece of ", blob.bytes, " bytes"));
  }
  std::fill(out.begin(), out.end(), uint8_t{0});
  if (blob.kind == BlobKind::kHead) {
    const auto head = file.HeadBytes();
    if (head.size() != blob.bytes) {
      return absl::FailedPreconditionError(absl::StrCat(
          file.path(), ": the head has ", head.size(), " bytes, the manifest says ", blob.bytes, "; the file changed"));
    }
    CopyOverlap(head, 0, offset, out);
    return absl::OkStatus();
  }
  for (const BlobTensor& part : blob.tensors) {
    const TensorInfo* tensor = file.FindTensor(part.name);
    if (tensor == nullptr || tensor->offset != part.offset_in_file || tensor->bytes != part.bytes) {
      return absl::FailedPreconditionError(absl::StrCat(file.path(), ": tensor ", QuotedName(part.name),
                                                        " is not where the manifest says; the file changed"));
    }
    const auto data = file.TensorData(*tensor);
    if (data.size() != part.bytes) {
      return absl::FailedPreconditionError(
          absl::StrCat(file.path(), ": tensor ", QuotedName(part.name), " has no data here; only the head is held"));
    }
    CopyOverlap(data, part.offset_in_blob, offset, out);
  }
  return absl::OkStatus();
}

std::vector<const Blob*> Manifest::ForStage(uint32_t first, uint32_t last, uint32_t layers, bool tied) const {
  std::vector<const Blob*> needed;
  for (const Blob& blob : blobs) {
    bool take = false;
    switch (blob.kind) {
      case BlobKind::kHead:
      case BlobKind::kShared:
        take = true;
        break;
      case BlobKind::kEmbedding:
        take = first == 0 || (tied && last == layers);
        break;
      case BlobKind::kLayer:
        take = blob.layer >= first && blob.layer < last;
        break;
      case BlobKind::kOutput:
        take = last == layers;
        break;
      case BlobKind::kEncoder:
        break;
    }
    if (take) needed.push_back(&blob);
  }
  return needed;
}

}  // namespace enigma::engine
