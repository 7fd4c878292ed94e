#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/spec/gguf.h"

namespace enigma::engine {

// A model as content: which pieces it has, how long each is and its SHA-256. A worker fetches only the pieces of its
// stage. A piece ("blob") is the data of its tensors in table order, each at an offset that is a multiple of 64 bytes,
// padded with zeros; so a piece can be memory-mapped and used as it lies.

using Sha256 = std::array<uint8_t, 32>;
std::string HexOf(const Sha256& hash);
absl::StatusOr<Sha256> Sha256FromHex(std::string_view hex);
Sha256 Sha256Of(std::string_view bytes);

// Incremental SHA-256 (OpenSSL EVP).
class Sha256Hasher {
 public:
  Sha256Hasher();
  ~Sha256Hasher();
  Sha256Hasher(const Sha256Hasher&) = delete;
  Sha256Hasher& operator=(const Sha256Hasher&) = delete;
  void Update(const void* data, size_t size);
  Sha256 Finish();

 private:
  void* context_;
};

enum class BlobKind : uint32_t {
  kHead = 0,       // the GGUF head: metadata (tokenizer included) and tensor table, verbatim
  kEmbedding = 1,  // token_embd.weight
  kLayer = 2,      // all blk.N.* tensors
  kOutput = 3,     // output_norm.weight, output.weight (absent when tied)
  kShared = 4,     // what every stage needs: rope_freqs.weight; absent in most models
  kEncoder = 5,    // all tensors of an image encoder, whose file has this piece and its head alone
};

// Where a tensor begins in its blob: at a multiple of so many bytes.
inline constexpr uint64_t kBlobAlignment = 64;

struct BlobTensor {
  std::string name;
  uint64_t offset_in_blob;
  uint64_t offset_in_file;
  uint64_t bytes;
};

struct Blob {
  BlobKind kind;
  uint32_t layer = 0;  // of kLayer
  Sha256 hash{};
  uint64_t bytes = 0;
  std::vector<BlobTensor> tensors;  // empty for kHead
};

struct Manifest {
  std::string model;        // registered name
  Sha256 id{};              // hash over the blobs' hashes in order: names the content whatever the model is called
  uint64_t file_bytes = 0;  // of the GGUF file it was made from
  std::vector<Blob> blobs;  // head, shared (if any), embedding, layers in order, output; or head, encoder

  // Blobs that the stage [first, last) of `layers` needs: always the head and, where it exists, the small kShared
  // piece; the embedding for the first stage, and for the last where the head is tied; its layers; kOutput for the
  // last.
  std::vector<const Blob*> ForStage(uint32_t first, uint32_t last, uint32_t layers, bool tied) const;
};

// Reads the whole file once to hash it. `progress`, where given, hears after each piece how many bytes are hashed and
// how many there are; when it returns false the work ends with CANCELLED.
using HashProgress = std::function<bool(uint64_t bytes_hashed, uint64_t bytes_total)>;
absl::StatusOr<Manifest> BuildManifest(const GgufFile& file, std::string model, const HashProgress& progress = nullptr);

// Copies [offset, offset + out.size()) of a blob's content out of the GGUF file it was cut from.
absl::Status ReadBlob(const GgufFile& file, const Blob& blob, uint64_t offset, std::span<uint8_t> out);

// JSON text form: what the coordinator stores, and what travels to workers.
std::string ManifestToJson(const Manifest& manifest);
absl::StatusOr<Manifest> ManifestFromJson(std::string_view json);

}  // namespace enigma::engine
