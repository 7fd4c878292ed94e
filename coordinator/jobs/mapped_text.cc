#include "coordinator/jobs/mapped_text.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include <absl/status/status.h>
#include <absl/strings/str_cat.h>

namespace enigma::coordinator {

absl::StatusOr<std::unique_ptr<MappedText>> MappedText::Open(const std::string& path) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (file < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot open ", path));
  struct stat status {};
  const int looked = fstat(file, &status);
  const auto size = static_cast<size_t>(status.st_size);
  void* mapping = looked == 0 && size > 0 ? mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file, 0) : nullptr;
  const int error = errno;
  close(file);
  if (looked != 0 || mapping == MAP_FAILED) return absl::ErrnoToStatus(error, absl::StrCat("cannot read ", path));
  return std::unique_ptr<MappedText>(
      new MappedText(size == 0 ? std::string_view() : std::string_view(static_cast<const char*>(mapping), size)));
}

MappedText::~MappedText() {
  if (!bytes_.empty()) munmap(const_cast<char*>(bytes_.data()), bytes_.size());
}

}  // namespace enigma::coordinator
