#include "coordinator/jobs/uploaded_pictures.h"

#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"

namespace enigma::coordinator {

absl::StatusOr<std::unique_ptr<UploadedPictures>> UploadedPictures::Create(const std::string& path,
                                                                           const Limits& limits) {
  ENIGMA_ASSIGN_OR_RETURN(std::unique_ptr<ReceivedFile> file, ReceivedFile::Create(path));
  return std::unique_ptr<UploadedPictures>(new UploadedPictures(path, limits, std::move(file)));
}

absl::Status UploadedPictures::Begin(const std::string& name) {
  name_bytes_ += name.size();
  if (places_.size() >= limits_.pictures_max || name_bytes_ > limits_.name_bytes_max) {
    return absl::ResourceExhaustedError(absl::StrCat("pictures: at most ", limits_.pictures_max,
                                                     " of them, with names of ", limits_.name_bytes_max >> 20,
                                                     " MiB in all; train on a part of them"));
  }
  if (!places_.try_emplace(name, Place{file_->bytes(), 0}).second) {
    return absl::InvalidArgumentError(absl::StrCat("pictures: ", name, " was sent twice"));
  }
  current_ = name;
  return absl::OkStatus();
}

absl::Status UploadedPictures::Append(std::string_view data) {
  Place& place = places_[current_];
  place.bytes += data.size();
  if (place.bytes > limits_.picture_bytes_max) {
    return absl::ResourceExhaustedError(
        absl::StrCat("pictures: ", current_, " has more than ", limits_.picture_bytes_max >> 20, " MiB"));
  }
  return file_->Append(data);
}

absl::Status UploadedPictures::Finish() {
  ENIGMA_RETURN_IF_ERROR(file_->Commit(file_->bytes(), ""));
  file_.reset();
  ENIGMA_ASSIGN_OR_RETURN(mapped_, MappedText::Open(path_));
  return absl::OkStatus();
}

absl::StatusOr<std::string_view> UploadedPictures::Bytes(const std::string& name) const {
  const auto place = places_.find(name);
  if (place == places_.end() || mapped_ == nullptr) return absl::NotFoundError("the picture was not sent");
  return mapped_->bytes().substr(place->second.offset, place->second.bytes);
}

}  // namespace enigma::coordinator
