#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "engine/image/image.h"
#include "engine/spec/manifest.h"

namespace enigma::engine {

// The pictures of a prepared corpus, one for each document of its TokenSet, all squares of one size. One block of
// bytes, so that it can be stored, sent, named by its hash and memory-mapped. Little-endian:
//
//   offset  bytes
//        0      8  "enigpics"
//        8      4  version, 1
//       12      4  pixels of a side
//       16      8  pictures
//       24     32  SHA-256 of everything else: bytes 0 to 23, then those from 56 on
//       56         the pictures, each [side][side][3] bytes of red, green and blue
//
// Immutable, thread-safe. Shared, because loaders of several ranks and whoever sends it read the same one.
class PictureSet {
 public:
  ~PictureSet();
  PictureSet(const PictureSet&) = delete;
  PictureSet& operator=(const PictureSet&) = delete;

  // Maps a file, which must not change from then on. Its length and its hash are checked. Errors name the file and what
  // is wrong with it: DATA_LOSS where content and hash do not fit, INVALID_ARGUMENT where it is no such file.
  static absl::StatusOr<std::shared_ptr<const PictureSet>> Open(const std::string& path);
  // The same of bytes at hand; `name` is for messages.
  static absl::StatusOr<std::shared_ptr<const PictureSet>> FromBytes(std::vector<uint8_t> bytes, std::string_view name);

  std::span<const uint8_t> bytes() const { return bytes_; }  // as it is stored
  const Sha256& hash() const { return hash_; }               // the one in the header
  uint32_t side() const { return side_; }
  uint64_t pictures() const { return pictures_; }
  Image Picture(uint64_t number) const;  // below pictures()

 private:
  PictureSet() = default;
  absl::Status Parse(std::string_view name);

  std::vector<uint8_t> owned_;
  void* mapping_ = nullptr;
  std::span<const uint8_t> bytes_;  // owned_, or the mapping
  Sha256 hash_{};
  uint32_t side_ = 0;
  uint64_t pictures_ = 0;
};

// Collects pictures and makes a PictureSet of them. Not thread-safe.
class PictureSetBuilder {
 public:
  // `side`: from 1 to kPictureSideMax.
  explicit PictureSetBuilder(uint32_t side);
  // Takes the memory of so many more at once. RESOURCE_EXHAUSTED where there is not as much.
  absl::Status Reserve(uint64_t pictures);
  // A picture of any size is fitted into the square, what is left beside it mid-grey.
  void Add(const Image& picture) { AddFitted(Fit(picture)); }
  // The two parts of that: what takes time, on several threads at once if need be, and a square that it made.
  Image Fit(const Image& picture) const;
  void AddFitted(const Image& square);
  // The one with that number, below pictures(), once more.
  void Repeat(uint64_t number);
  uint64_t pictures() const { return pictures_; }
  // Leaves the builder empty.
  absl::StatusOr<std::shared_ptr<const PictureSet>> Finish();

 private:
  const uint32_t side_;
  uint64_t pictures_ = 0;
  std::vector<uint8_t> bytes_;  // header included
};
inline constexpr uint32_t kPictureSideMax = 1024;

// Writes beside `path` first and renames then, so that a file is there whole or not at all.
absl::Status WritePictureSet(const PictureSet& set, const std::string& path);

}  // namespace enigma::engine
