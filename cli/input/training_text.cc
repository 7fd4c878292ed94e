#include "cli/input/training_text.h"

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <system_error>
#include <utility>

#include <absl/strings/ascii.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <nlohmann/json.hpp>

#include "base/status_macros.h"
#include "base/text.h"
#include "base/utf8.h"
#include "engine/text/json_shape.h"

namespace enigma::cli {

namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;
using TakeText = std::function<void(std::string_view)>;

constexpr size_t kPartBytes = size_t{8} << 20;
constexpr size_t kLineBytesMax = size_t{256} << 20;

std::string Extension(const fs::path& path) { return absl::AsciiStrToLower(path.extension().string()); }

absl::StatusOr<TrainingFile> FileAt(const fs::path& path) {
  std::error_code error;
  TrainingFile file{path.string(), fs::file_size(path, error), Extension(path) == ".jsonl"};
  if (error) return absl::FailedPreconditionError(absl::StrCat(file.path, " cannot be read: ", error.message()));
  return file;
}

absl::Status AddFolder(const std::string& folder, bool labelled, std::vector<TrainingFile>& files) {
  std::error_code error;
  std::vector<fs::path> found;
  for (fs::recursive_directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    const std::string extension = Extension(at->path());
    const bool is_text = extension == ".txt" || extension == ".jsonl" || extension == (labelled ? ".tsv" : ".md");
    if (is_text && at->is_regular_file(error) && !error) found.push_back(at->path());
  }
  if (error) return absl::FailedPreconditionError(absl::StrCat(folder, " cannot be read: ", error.message()));
  if (found.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(folder, ": there is no .txt, ", labelled ? ".tsv" : ".md", " or .jsonl file in this folder"));
  }
  std::sort(found.begin(), found.end());
  for (const fs::path& path : found) {
    ENIGMA_ASSIGN_OR_RETURN(TrainingFile file, FileAt(path));
    files.push_back(std::move(file));
  }
  return absl::OkStatus();
}

// Behind the last line end that stands between a character that is no white space and an ASCII letter: every
// pre-tokenizer cuts there, whatever follows. Nothing where there is none in the second half of `text`.
std::optional<size_t> QuietLineEnd(std::string_view text) {
  for (size_t end = text.size() - 1; end > text.size() / 2; --end) {
    if (text[end - 1] != '\n' || !absl::ascii_isalpha(static_cast<unsigned char>(text[end]))) continue;
    if (end >= 2 && !absl::ascii_isspace(static_cast<unsigned char>(text[end - 2]))) return end;
  }
  return std::nullopt;
}

// A file in parts of whole lines.
class PartReader {
 public:
  explicit PartReader(const TrainingFile& file) : file_(file), in_(file.path, std::ios::binary) {}

  // The next part, good until the next call; empty at the end of the file.
  absl::StatusOr<std::string_view> Next() {
    if (!in_.is_open()) return SystemError("opened");
    lines_before_ += static_cast<uint64_t>(std::count(buffer_.begin(), buffer_.begin() + Signed(part_), '\n'));
    buffer_.erase(0, part_);
    part_ = 0;
    while (true) {
      ENIGMA_RETURN_IF_ERROR(Fill());
      if (in_.eof()) {
        part_ = buffer_.size();
        break;
      }
      const size_t line_end = buffer_.rfind('\n');
      if (line_end != std::string::npos) {
        part_ = file_.json_lines ? line_end + 1 : QuietLineEnd(buffer_).value_or(line_end + 1);
        break;
      }
      if (buffer_.size() >= kLineBytesMax) {
        return absl::InvalidArgumentError(absl::StrCat(Place(0), "the line is longer than 256 MiB"));
      }
    }
    const std::string_view part = std::string_view(buffer_).substr(0, part_);
    ENIGMA_RETURN_IF_ERROR(CheckUtf8(part));
    return part;
  }

  // "FILE, line N: ", for what stands at this byte of the current part.
  std::string Place(size_t at) const {
    const auto lines = static_cast<uint64_t>(std::count(buffer_.begin(), buffer_.begin() + Signed(at), '\n'));
    return absl::StrCat(file_.path, ", line ", lines_before_ + lines + 1, ": ");
  }

  uint64_t bytes_read() const { return bytes_read_; }

 private:
  static std::ptrdiff_t Signed(size_t size) { return static_cast<std::ptrdiff_t>(size); }

  absl::Status SystemError(const char* what) const {
    return absl::FailedPreconditionError(
        absl::StrCat(file_.path, " cannot be ", what, errno == 0 ? "" : absl::StrCat(": ", std::strerror(errno))));
  }

  absl::Status Fill() {
    const size_t held = buffer_.size();
    buffer_.resize(held + kPartBytes);
    errno = 0;
    in_.read(buffer_.data() + held, Signed(kPartBytes));
    if (in_.bad()) return SystemError("read");
    const auto got = static_cast<size_t>(in_.gcount());
    buffer_.resize(held + got);
    bytes_read_ += got;
    return absl::OkStatus();
  }

  absl::Status CheckUtf8(std::string_view part) const {
    const size_t valid = ValidUtf8Prefix(part);
    if (valid == part.size()) return absl::OkStatus();
    return absl::InvalidArgumentError(
        absl::StrFormat("%sthe byte 0x%02X is not UTF-8; convert the file, or leave it out", Place(valid).c_str(),
                        static_cast<unsigned>(static_cast<uint8_t>(part[valid]))));
  }

  const TrainingFile& file_;
  std::ifstream in_;
  std::string buffer_;
  size_t part_ = 0;  // the part given last: a prefix of the buffer
  uint64_t lines_before_ = 0;
  uint64_t bytes_read_ = 0;
};

void TakeStrings(const Json& value, const TakeText& take) {
  if (value.is_string()) {
    take(value.get_ref<const std::string&>());
  } else if (value.is_structured()) {
    for (const Json& element : value) TakeStrings(element, take);
  }
}

// False when the line is no JSON object.
bool TakeJsonLine(std::string_view line, const TakeText& take) {
  const Json object = engine::ParseJsonOfStrangers(line);
  if (!object.is_object()) return false;
  bool known = false;
  for (const char* field : {"text", "prompt", "completion", "messages"}) {
    const auto found = object.find(field);
    if (found == object.end()) continue;
    known = true;
    TakeStrings(*found, take);
  }
  if (!known) TakeStrings(object, take);
  return true;
}

absl::Status TakeJsonLines(std::string_view part, const PartReader& reader, const TakeText& take) {
  for (size_t at = 0; at < part.size();) {
    const size_t end = std::min(part.find('\n', at), part.size());
    const std::string_view line = part.substr(at, end - at);
    const bool blank = line.find_first_not_of(" \t\r") == std::string_view::npos;
    if (!blank && !TakeJsonLine(line, take)) {
      return absl::InvalidArgumentError(absl::StrCat(reader.Place(at), "this is no JSON object"));
    }
    at = end + 1;
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::vector<TrainingFile>> FindTrainingFiles(const std::vector<std::string>& paths, bool labelled) {
  std::vector<TrainingFile> files;
  for (const std::string& path : paths) {
    std::error_code error;
    const fs::file_status status = fs::status(path, error);
    if (!fs::exists(status)) return absl::NotFoundError(absl::StrCat("there is no file or folder ", path));
    if (fs::is_directory(status)) {
      ENIGMA_RETURN_IF_ERROR(AddFolder(path, labelled, files));
    } else if (fs::is_regular_file(status)) {
      ENIGMA_ASSIGN_OR_RETURN(TrainingFile file, FileAt(path));
      files.push_back(std::move(file));
    } else {
      return absl::InvalidArgumentError(absl::StrCat(path, " is neither a file nor a folder"));
    }
  }
  return files;
}

absl::Status ReadTrainingFile(const TrainingFile& file,
                              const std::function<void(std::string_view text, uint64_t file_bytes)>& take) {
  PartReader reader(file);
  const TakeText take_text = [&](std::string_view text) { take(text, reader.bytes_read()); };
  while (true) {
    ENIGMA_ASSIGN_OR_RETURN(const std::string_view part, reader.Next());
    if (part.empty()) return absl::OkStatus();
    if (file.json_lines) {
      ENIGMA_RETURN_IF_ERROR(TakeJsonLines(part, reader, take_text));
    } else {
      take_text(part);
    }
  }
}

}  // namespace enigma::cli
