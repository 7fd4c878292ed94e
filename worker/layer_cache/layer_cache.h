#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include <absl/base/thread_annotations.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>

#include "engine/spec/manifest.h"

namespace enigma::worker {

class PieceWriter;

// Pieces of models on this machine's disk, each a file named by the SHA-256 of its content: <directory>/<hex>. What is
// on its way lies beside it as <hex>.part. A process trusts no file that it has not hashed itself since the file last
// changed: disks rot, and a damaged piece would give wrong answers without a word. Thread-safe; of one piece, only one
// writer at a time (see PieceFetcher).
class LayerCache {
 public:
  struct Options {
    std::string directory;
    // Bytes free for files under a directory; replaced in tests.
    std::function<absl::StatusOr<uint64_t>(const std::string&)> free_bytes;
  };
  // Makes the directory.
  static absl::StatusOr<std::unique_ptr<LayerCache>> Create(Options options);

  // Whether the piece is here and is what its name says. Reads the whole file the first time; a damaged one is removed.
  bool Has(const engine::Sha256& hash) const;
  std::string PathOf(const engine::Sha256& hash) const;
  // Bytes of a piece that are here, in the file or its part.
  uint64_t BytesPresent(const engine::Sha256& hash) const;
  // Goes on where an earlier attempt ended.
  absl::StatusOr<std::unique_ptr<PieceWriter>> Resume(const engine::Sha256& hash, uint64_t bytes);
  absl::StatusOr<uint64_t> FreeBytes() const { return options_.free_bytes(options_.directory); }
  const std::string& directory() const { return options_.directory; }

 private:
  friend class PieceWriter;
  // What a file looked like when it was hashed.
  struct Stamp {
    uint64_t inode = 0;
    uint64_t bytes = 0;
    int64_t changed_ns = 0;
    friend bool operator==(const Stamp&, const Stamp&) = default;
  };
  explicit LayerCache(Options options) : options_(std::move(options)) {}
  static bool ReadStamp(const std::string& path, Stamp& stamp);
  void Remember(const engine::Sha256& hash, const Stamp& stamp) const;

  const Options options_;
  mutable absl::Mutex mutex_;
  mutable std::map<engine::Sha256, Stamp> verified_ ABSL_GUARDED_BY(mutex_);
};

// Takes a piece in. What was appended stays in the part file when the writer goes without Commit.
class PieceWriter {
 public:
  ~PieceWriter();
  PieceWriter(const PieceWriter&) = delete;
  PieceWriter& operator=(const PieceWriter&) = delete;

  uint64_t size() const { return size_; }
  // ResourceExhausted with the bytes needed and free when the disk is full; DataLoss beyond the piece's size.
  absl::Status Append(std::string_view data);
  // Verifies size and hash, makes the data durable and gives the file its name. DataLoss, with the part removed, when
  // it is not what it should be.
  absl::Status Commit();

 private:
  friend class LayerCache;
  PieceWriter(const LayerCache& cache, const engine::Sha256& hash, uint64_t bytes, int fd);
  absl::Status HashExisting();

  const LayerCache& cache_;
  const engine::Sha256 hash_;
  const uint64_t bytes_;
  const int fd_;
  const std::string part_path_;
  uint64_t size_ = 0;
  engine::Sha256Hasher hasher_;
};

}  // namespace enigma::worker
