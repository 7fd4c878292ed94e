#include "engine/corpus/picture_set.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <exception>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/corpus/whole_file.h"
#include "engine/image/model_input.h"

namespace enigma::engine {
namespace {

constexpr std::array<uint8_t, 8> kPictureMagic = {'e', 'n', 'i', 'g', 'p', 'i', 'c', 's'};
constexpr uint32_t kPictureVersion = 1;
constexpr size_t kPictureVersionAt = 8, kPictureSideAt = 12, kPictureCountAt = 16, kPictureHashAt = 24;
constexpr size_t kPictureHeaderBytes = 56;

template <typename T>
T LoadNumber(std::span<const uint8_t> bytes, size_t at) {
  T value;
  std::memcpy(&value, bytes.data() + at, sizeof value);
  return value;
}

template <typename T>
void StoreNumber(T value, std::vector<uint8_t>& bytes, size_t at) {
  std::memcpy(bytes.data() + at, &value, sizeof value);
}

uint64_t BytesOfPicture(uint32_t side) { return uint64_t{3} * side * side; }

Sha256 HashOfRest(std::span<const uint8_t> bytes) {
  Sha256Hasher hasher;
  hasher.Update(bytes.data(), kPictureHashAt);
  hasher.Update(bytes.data() + kPictureHeaderBytes, bytes.size() - kPictureHeaderBytes);
  return hasher.Finish();
}

}  // namespace

PictureSet::~PictureSet() {
  if (mapping_ != nullptr) ::munmap(mapping_, bytes_.size());
}

absl::Status PictureSet::Parse(std::string_view name) {
  const auto refuse = [name](const auto&... what) {
    return absl::InvalidArgumentError(absl::StrCat(ToAbsl(name), ": ", what...));
  };
  if (bytes_.size() < kPictureHeaderBytes || !std::equal(kPictureMagic.begin(), kPictureMagic.end(), bytes_.begin())) {
    return refuse("it is no set of pictures");
  }
  const auto version = LoadNumber<uint32_t>(bytes_, kPictureVersionAt);
  if (version != kPictureVersion) {
    return refuse("version ", version, " is unknown; this program knows ", kPictureVersion);
  }
  side_ = LoadNumber<uint32_t>(bytes_, kPictureSideAt);
  pictures_ = LoadNumber<uint64_t>(bytes_, kPictureCountAt);
  if (side_ == 0 || side_ > kPictureSideMax) return refuse("pictures of ", side_, " pixels a side");
  const uint64_t content = bytes_.size() - kPictureHeaderBytes;
  if (pictures_ != content / BytesOfPicture(side_) || content % BytesOfPicture(side_) != 0) {
    return refuse(content, " bytes do not hold ", pictures_, " pictures of ", side_, " pixels a side");
  }
  std::copy_n(bytes_.begin() + kPictureHashAt, hash_.size(), hash_.begin());
  if (HashOfRest(bytes_) != hash_) {
    return absl::DataLossError(
        absl::StrCat(ToAbsl(name), ": its content does not have the hash that it names: it is damaged"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<const PictureSet>> PictureSet::FromBytes(std::vector<uint8_t> bytes,
                                                                        std::string_view name) {
  std::shared_ptr<PictureSet> set(new PictureSet);
  set->owned_ = std::move(bytes);
  set->bytes_ = set->owned_;
  ENIGMA_RETURN_IF_ERROR(set->Parse(name));
  return set;
}

absl::StatusOr<std::shared_ptr<const PictureSet>> PictureSet::Open(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot be opened"));
  struct stat info = {};
  if (::fstat(fd, &info) != 0 || info.st_size <= 0) {
    ::close(fd);
    return absl::InvalidArgumentError(absl::StrCat(path, ": it is no set of pictures"));
  }
  std::shared_ptr<PictureSet> set(new PictureSet);
  const auto size = static_cast<size_t>(info.st_size);
  void* mapping = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
  const int error = errno;
  ::close(fd);
  if (mapping == MAP_FAILED) return absl::ErrnoToStatus(error, absl::StrCat(path, ": cannot be mapped"));
  set->mapping_ = mapping;
  set->bytes_ = {static_cast<const uint8_t*>(mapping), size};
  ENIGMA_RETURN_IF_ERROR(set->Parse(path));
  return set;
}

Image PictureSet::Picture(uint64_t number) const {
  const uint64_t size = BytesOfPicture(side_);
  const uint8_t* first = bytes_.data() + kPictureHeaderBytes + number * size;
  return {side_, side_, std::vector<uint8_t>(first, first + size)};
}

PictureSetBuilder::PictureSetBuilder(uint32_t side) : side_(side), bytes_(kPictureHeaderBytes) {}

Image PictureSetBuilder::Fit(const Image& picture) const { return FitSquare(picture, side_, {}); }

absl::Status PictureSetBuilder::Reserve(uint64_t pictures) {
  const uint64_t bytes = bytes_.size() + pictures * BytesOfPicture(side_);
  try {
    bytes_.reserve(bytes);
  } catch (const std::exception&) {  // bad_alloc, or more than a vector can have
    return absl::ResourceExhaustedError(absl::StrCat("there is no memory for ", pictures, " pictures of ", side_, " x ",
                                                     side_, " pixels, ", bytes >> 20, " MiB"));
  }
  return absl::OkStatus();
}

void PictureSetBuilder::Repeat(uint64_t number) {
  const uint64_t size = BytesOfPicture(side_);
  bytes_.resize(bytes_.size() + size);
  std::copy_n(bytes_.begin() + static_cast<std::ptrdiff_t>(kPictureHeaderBytes + number * size), size,
              bytes_.end() - static_cast<std::ptrdiff_t>(size));
  ++pictures_;
}

void PictureSetBuilder::AddFitted(const Image& square) {
  bytes_.insert(bytes_.end(), square.rgb.begin(), square.rgb.end());
  ++pictures_;
}

absl::StatusOr<std::shared_ptr<const PictureSet>> PictureSetBuilder::Finish() {
  std::vector<uint8_t> bytes = std::exchange(bytes_, std::vector<uint8_t>(kPictureHeaderBytes));
  std::copy(kPictureMagic.begin(), kPictureMagic.end(), bytes.begin());
  StoreNumber(kPictureVersion, bytes, kPictureVersionAt);
  StoreNumber(side_, bytes, kPictureSideAt);
  StoreNumber(std::exchange(pictures_, 0), bytes, kPictureCountAt);
  const Sha256 hash = HashOfRest(bytes);
  std::copy(hash.begin(), hash.end(), bytes.begin() + kPictureHashAt);
  return PictureSet::FromBytes(std::move(bytes), "the prepared pictures");
}

absl::Status WritePictureSet(const PictureSet& set, const std::string& path) {
  return WriteWholeFile(set.bytes(), path);
}

}  // namespace enigma::engine
