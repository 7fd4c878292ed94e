#include "engine/checkpoint/safetensors.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <tuple>
#include <utility>

#include <absl/cleanup/cleanup.h>
#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/checkpoint/safetensors_header.h"
#include "engine/spec/gguf_cursor.h"

namespace enigma::engine {

const char* NameOf(SafetensorsType type) {
  switch (type) {
    case SafetensorsType::kF32:
      return "F32";
    case SafetensorsType::kF16:
      return "F16";
    case SafetensorsType::kBF16:
      return "BF16";
    case SafetensorsType::kI32:
      return "I32";
    case SafetensorsType::kI64:
      return "I64";
    case SafetensorsType::kU8:
      return "U8";
  }
  return "";
}

uint32_t ElementBytes(SafetensorsType type) {
  switch (type) {
    case SafetensorsType::kF32:
    case SafetensorsType::kI32:
      return 4;
    case SafetensorsType::kF16:
    case SafetensorsType::kBF16:
      return 2;
    case SafetensorsType::kI64:
      return 8;
    case SafetensorsType::kU8:
      return 1;
  }
  return 0;
}

absl::StatusOr<uint64_t> SafetensorsBytes(const std::string& name, SafetensorsType type,
                                          const std::vector<uint64_t>& shape) {
  uint64_t bytes = ElementBytes(type);
  for (const uint64_t extent : shape) {
    if (__builtin_mul_overflow(bytes, extent, &bytes)) {
      return absl::InvalidArgumentError(absl::StrCat("tensor ", QuotedName(name), ": its size overflows"));
    }
  }
  return bytes;
}

absl::StatusOr<std::unique_ptr<SafetensorsFile>> SafetensorsFile::Open(const std::string& path) {
  const auto error = [&](const char* what) {
    return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot ", what));
  };
  // O_NONBLOCK: a FIFO is refused below, not waited for.
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) return error("open");
  const absl::Cleanup close = [fd] { ::close(fd); };
  struct stat info {};
  if (::fstat(fd, &info) != 0) return error("read the size");
  if (!S_ISREG(info.st_mode)) return absl::InvalidArgumentError(absl::StrCat(path, ": is not a regular file"));
  if (info.st_size == 0) return absl::InvalidArgumentError(absl::StrCat(path, ": the file is empty"));
  std::unique_ptr<SafetensorsFile> file(new SafetensorsFile(path));
  const auto bytes = static_cast<size_t>(info.st_size);
  void* mapping = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd, 0);
  if (mapping == MAP_FAILED) return error("map");
  file->mapping_ = mapping;
  file->mapping_bytes_ = bytes;
  ENIGMA_RETURN_IF_ERROR(file->ReadHead({static_cast<const uint8_t*>(mapping), bytes}));
  return file;
}

absl::StatusOr<std::unique_ptr<SafetensorsFile>> SafetensorsFile::Parse(std::span<const uint8_t> bytes,
                                                                        std::string name) {
  std::unique_ptr<SafetensorsFile> file(new SafetensorsFile(std::move(name)));
  ENIGMA_RETURN_IF_ERROR(file->ReadHead(bytes));
  return file;
}

SafetensorsFile::~SafetensorsFile() {
  if (mapping_ != nullptr) ::munmap(mapping_, mapping_bytes_);
}

const SafetensorsTensor* SafetensorsFile::Find(std::string_view name) const {
  const auto found = index_.find(ToAbsl(name));
  return found == index_.end() ? nullptr : &tensors_[found->second];
}

absl::Status SafetensorsFile::ReadHead(std::span<const uint8_t> bytes) {
  const auto wrong = [&](const auto&... why) { return absl::InvalidArgumentError(absl::StrCat(name_, ": ", why...)); };
  uint64_t length = 0;
  if (bytes.size() < kSafetensorsLengthBytes) {
    return wrong("the file has ", bytes.size(), " bytes; the length of the header alone takes ",
                 kSafetensorsLengthBytes);
  }
  std::memcpy(&length, bytes.data(), sizeof length);
  if (length > kSafetensorsHeaderBytesMax) {
    return wrong("the header claims ", length, " bytes; at most ", kSafetensorsHeaderBytesMax, " are allowed");
  }
  if (length > bytes.size() - kSafetensorsLengthBytes) {
    return wrong("the header claims ", length, " bytes, the file has ", bytes.size() - kSafetensorsLengthBytes,
                 " left");
  }
  auto header = ParseSafetensorsHeader(
      {reinterpret_cast<const char*>(bytes.data()) + kSafetensorsLengthBytes, static_cast<size_t>(length)});
  if (!header.ok()) return wrong(header.status().message());
  metadata_ = std::move(header->metadata);
  tensors_ = std::move(header->tensors);
  data_ = bytes.subspan(kSafetensorsLengthBytes + length);
  return CheckLayout();
}

absl::Status SafetensorsFile::CheckLayout() {
  std::sort(tensors_.begin(), tensors_.end(), [](const SafetensorsTensor& a, const SafetensorsTensor& b) {
    return std::tie(a.offset, a.bytes) < std::tie(b.offset, b.bytes);
  });
  uint64_t end = 0;
  for (size_t i = 0; i < tensors_.size(); ++i) {
    const SafetensorsTensor& tensor = tensors_[i];
    const auto wrong = [&](const auto&... why) {
      return absl::InvalidArgumentError(absl::StrCat(name_, ": tensor ", QuotedName(tensor.name), ": ", why...));
    };
    if (tensor.offset != end) {
      return wrong("its data begin at byte ", tensor.offset, ", those before it end at ", end,
                   tensor.offset < end ? ": they overlap" : ": nothing may lie between");
    }
    if (tensor.bytes > data_.size() - end) {
      return wrong("its data, ", tensor.bytes, " bytes at ", tensor.offset, ", reach beyond the ", data_.size(),
                   " that the file has; it is cut short or lies");
    }
    end += tensor.bytes;
    index_.emplace(tensor.name, i);
  }
  if (end != data_.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat(name_, ": the tensors end at byte ", end, " of the data, the file has ", data_.size()));
  }
  return absl::OkStatus();
}

}  // namespace enigma::engine
