#include "cli/input/captioned_pictures.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include <absl/container/flat_hash_set.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "cli/input/read_text.h"
#include "engine/corpus/captions.h"

namespace enigma::cli {
namespace {

namespace fs = std::filesystem;

constexpr char kCaptionsFile[] = "captions.jsonl";

// Whether `path`, links resolved, lies below `folder`, which is resolved already.
bool LiesBelow(const fs::path& path, const fs::path& folder) {
  std::error_code error;
  const fs::path relative = fs::canonical(path, error).lexically_relative(folder);
  return !error && !relative.empty() && *relative.begin() != "..";
}

absl::StatusOr<PictureFile> PictureAt(const fs::path& folder, const fs::path& resolved, const std::string& name) {
  PictureFile picture{name, (folder / name).string(), 0};
  std::error_code error;
  const fs::file_status status = fs::status(picture.path, error);
  if (!fs::exists(status)) return absl::NotFoundError(absl::StrCat("there is no picture ", picture.path));
  if (!fs::is_regular_file(status)) return absl::InvalidArgumentError(absl::StrCat(picture.path, " is no file"));
  if (!LiesBelow(picture.path, resolved)) {
    return absl::InvalidArgumentError(absl::StrCat(picture.path, " leads out of the folder of the captions"));
  }
  picture.bytes = fs::file_size(picture.path, error);
  if (error) return absl::FailedPreconditionError(absl::StrCat(picture.path, " cannot be read: ", error.message()));
  return picture;
}

// What the pictures come to, one after the other, so that the first that is too much is named.
class UploadSize {
 public:
  UploadSize(uint64_t captions_bytes, const coordinator::Submission::Limits& limits)
      : limits_(limits), bytes_(captions_bytes) {}

  absl::Status Add(const PictureFile& picture) {
    const coordinator::UploadedPictures::Limits& of_pictures = limits_.pictures;
    if (picture.bytes > of_pictures.picture_bytes_max) {
      return TooMuch(picture.path, " has ", picture.bytes >> 20, " MiB, and a picture may have ",
                     of_pictures.picture_bytes_max >> 20);
    }
    if (++pictures_ > of_pictures.pictures_max) {
      return TooMuch("at most ", of_pictures.pictures_max, " pictures are taken; train on a part of them");
    }
    if (name_bytes_ += picture.name.size(); name_bytes_ > of_pictures.name_bytes_max) {
      return TooMuch("the names of pictures may have ", of_pictures.name_bytes_max >> 20, " MiB in all; shorten them");
    }
    if (bytes_ += picture.bytes; bytes_ > limits_.data_bytes_max) {
      return TooMuch("captions and pictures may have ", limits_.data_bytes_max >> 20,
                     " MiB in all; train on a part of them, or on smaller ones");
    }
    return absl::OkStatus();
  }

 private:
  template <typename... Parts>
  static absl::Status TooMuch(const Parts&... parts) {
    return absl::ResourceExhaustedError(absl::StrCat(parts...));
  }

  const coordinator::Submission::Limits& limits_;
  uint64_t bytes_;
  uint64_t name_bytes_ = 0;
  size_t pictures_ = 0;
};

}  // namespace

std::string CaptionsFileOf(const std::string& data) {
  std::error_code error;
  return fs::is_directory(data, error) ? (fs::path(data) / kCaptionsFile).string() : data;
}

absl::StatusOr<CaptionedPictures> FindCaptionedPictures(const std::string& data,
                                                        const coordinator::Submission::Limits& limits) {
  CaptionedPictures found;
  found.captions.path = CaptionsFileOf(data);
  found.captions.json_lines = true;
  std::error_code error;
  if (!fs::exists(found.captions.path, error)) {
    return absl::NotFoundError(absl::StrCat("there is no file ", found.captions.path,
                                            ": pictures to learn from need one, with a line of JSON for each"));
  }
  ENIGMA_ASSIGN_OR_RETURN(const std::string lines, ReadText(found.captions.path));
  found.captions.bytes = lines.size();
  ENIGMA_ASSIGN_OR_RETURN(const std::vector<engine::CaptionedPicture> named,
                          engine::ReadCaptions({found.captions.path, lines}));
  const fs::path folder = fs::path(found.captions.path).parent_path();
  const fs::path resolved = fs::canonical(folder.empty() ? fs::path(".") : folder, error);
  if (error) return absl::FailedPreconditionError(absl::StrCat(folder.string(), ": ", error.message()));
  UploadSize size(found.captions.bytes, limits);
  absl::flat_hash_set<std::string> known;
  for (const engine::CaptionedPicture& picture : named) {
    if (!known.insert(picture.image).second) continue;
    absl::StatusOr<PictureFile> file = PictureAt(folder, resolved, picture.image);
    if (const absl::Status fits = file.ok() ? size.Add(*file) : file.status(); !fits.ok()) {
      return absl::Status(fits.code(),
                          absl::StrCat(found.captions.path, ", line ", picture.line, ": ", fits.message()));
    }
    found.pictures.push_back(*std::move(file));
  }
  return found;
}

}  // namespace enigma::cli
