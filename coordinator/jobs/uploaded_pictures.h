#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include <absl/container/flat_hash_map.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "coordinator/jobs/mapped_text.h"
#include "coordinator/jobs/received_file.h"

namespace enigma::coordinator {

// The pictures of a submission, one behind the other in one file: thousands of small ones cost no file each. They come
// first, each with its name and then its bytes, and are read once all are there. Not thread-safe while they come;
// reading is.
class UploadedPictures {
 public:
  struct Limits {
    uint64_t picture_bytes_max = uint64_t{32} << 20;  // of one
    size_t pictures_max = 500'000;
    uint64_t name_bytes_max = uint64_t{64} << 20;  // of all names, which stay in memory
  };

  // As ReceivedFile::Create.
  static absl::StatusOr<std::unique_ptr<UploadedPictures>> Create(const std::string& path, const Limits& limits);

  // The next one; data that follow are its. INVALID_ARGUMENT for a name that came before, RESOURCE_EXHAUSTED names the
  // limit.
  absl::Status Begin(const std::string& name);
  absl::Status Append(std::string_view data);
  // All are there.
  absl::Status Finish();

  size_t size() const { return places_.size(); }
  bool Has(const std::string& name) const { return places_.contains(name); }
  // The bytes of one, as they came. NOT_FOUND where it did not; only after Finish.
  absl::StatusOr<std::string_view> Bytes(const std::string& name) const;

 private:
  struct Place {
    uint64_t offset = 0;
    uint64_t bytes = 0;
  };
  UploadedPictures(std::string path, const Limits& limits, std::unique_ptr<ReceivedFile> file)
      : path_(std::move(path)), limits_(limits), file_(std::move(file)) {}

  const std::string path_;
  const Limits limits_;
  std::unique_ptr<ReceivedFile> file_;  // until Finish
  std::unique_ptr<MappedText> mapped_;  // from then on
  absl::flat_hash_map<std::string, Place> places_;
  std::string current_;  // that data belong to
  uint64_t name_bytes_ = 0;
};

}  // namespace enigma::coordinator
