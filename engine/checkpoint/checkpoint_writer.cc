#include "engine/checkpoint/checkpoint_writer.h"

#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <filesystem>
#include <system_error>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "engine/spec/gguf_cursor.h"

namespace enigma::engine {
namespace {

// A sender's list against what was written.
absl::Status CompareFiles(const std::vector<CheckpointFile>& said, const std::vector<CheckpointFile>& written,
                          const std::string& path) {
  const auto differs = [&](const std::string& name, const auto&... what) {
    return absl::DataLossError(absl::StrCat(path, ": file ", QuotedName(name), " ", what...));
  };
  for (const CheckpointFile& file : written) {
    const auto same_name = [&](const CheckpointFile& other) { return other.name == file.name; };
    const auto found = std::find_if(said.begin(), said.end(), same_name);
    if (found == said.end()) return differs(file.name, "was written, but is not among those the sender lists");
    if (found->bytes != file.bytes) {
      return differs(file.name, "has ", file.bytes, " bytes, the sender says ", found->bytes);
    }
    if (found->hash != file.hash) return differs(file.name, "has arrived with another content than was sent");
  }
  if (said.size() == written.size()) return absl::OkStatus();
  for (const CheckpointFile& file : said) {
    const auto same_name = [&](const CheckpointFile& other) { return other.name == file.name; };
    if (std::none_of(written.begin(), written.end(), same_name)) return differs(file.name, "has not been written");
  }
  return absl::DataLossError(absl::StrCat(path, ": the sender lists a file twice"));
}

}  // namespace

CheckpointWriter::CheckpointWriter(CheckpointFolder& folder, uint64_t step)
    : folder_(folder), step_(step), partial_path_(absl::StrCat(folder.PathOf(step), ".partial")) {}

CheckpointWriter::~CheckpointWriter() {
  file_.reset();
  if (!in_place_) {
    std::error_code ignored;  // what cannot be removed is ignored by readers, and removed by the next writer
    std::filesystem::remove_all(partial_path_, ignored);
  }
  absl::MutexLock lock(&folder_.mutex_);
  folder_.writing_ = false;
}

absl::Status CheckpointWriter::MakeFolder() {
  ENIGMA_RETURN_IF_ERROR(folder_.Change("make the folder"));
  if (::mkdir(partial_path_.c_str(), 0755) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat(partial_path_, ": cannot make the folder"));
  }
  return absl::OkStatus();
}

absl::Status CheckpointWriter::Append(const std::string& file, std::span<const uint8_t> bytes) {
  if (!failed_.ok() || in_place_) {
    return absl::FailedPreconditionError(
        absl::StrCat(partial_path_, ": takes nothing more", failed_.ok() ? "" : ": ", failed_.message()));
  }
  failed_ = AppendTo(file, bytes);
  return failed_;
}

absl::Status CheckpointWriter::AppendTo(const std::string& file, std::span<const uint8_t> bytes) {
  if (file_ == nullptr || files_.back().name != file) {
    ENIGMA_RETURN_IF_ERROR(CheckCheckpointFileName(file));
    const auto same_name = [&](const CheckpointFile& other) { return other.name == file; };
    if (std::any_of(files_.begin(), files_.end(), same_name)) {
      return absl::InvalidArgumentError(
          absl::StrCat(partial_path_, ": file ", QuotedName(file), " is complete: another was begun after it"));
    }
    ENIGMA_RETURN_IF_ERROR(FinishFile());
    ENIGMA_RETURN_IF_ERROR(folder_.Change("create a file"));
    ENIGMA_ASSIGN_OR_RETURN(file_, DurableFile::Create(absl::StrCat(partial_path_, "/", file)));
    hasher_.emplace();
    files_.push_back({.name = file});
  }
  ENIGMA_RETURN_IF_ERROR(folder_.Change("write"));
  ENIGMA_RETURN_IF_ERROR(file_->Append(bytes));
  hasher_->Update(bytes.data(), bytes.size());
  bytes_ += bytes.size();
  return absl::OkStatus();
}

absl::Status CheckpointWriter::FinishFile() {
  if (file_ == nullptr) return absl::OkStatus();
  ENIGMA_RETURN_IF_ERROR(folder_.Change("flush a file"));
  ENIGMA_RETURN_IF_ERROR(file_->Finish());
  files_.back().bytes = file_->bytes();
  files_.back().hash = hasher_->Finish();
  file_.reset();
  return absl::OkStatus();
}

absl::StatusOr<CheckpointManifest> CheckpointWriter::Commit(CheckpointManifest manifest) {
  if (!failed_.ok() || in_place_) {
    return absl::FailedPreconditionError(
        absl::StrCat(partial_path_, ": takes nothing more", failed_.ok() ? "" : ": ", failed_.message()));
  }
  failed_ = FinishFile();
  ENIGMA_RETURN_IF_ERROR(failed_);
  if (!manifest.files.empty()) failed_ = CompareFiles(manifest.files, files_, partial_path_);
  ENIGMA_RETURN_IF_ERROR(failed_);
  manifest.step = step_;
  manifest.files = files_;
  const auto json = CheckpointManifestToJson(manifest);
  failed_ = json.ok() ? WriteManifest(*json) : json.status();
  ENIGMA_RETURN_IF_ERROR(failed_);
  failed_ = PutInPlace();
  ENIGMA_RETURN_IF_ERROR(failed_);
  return manifest;
}

absl::Status CheckpointWriter::WriteManifest(const std::string& json) {
  ENIGMA_RETURN_IF_ERROR(folder_.Change("create the manifest"));
  ENIGMA_ASSIGN_OR_RETURN(const auto file, DurableFile::Create(absl::StrCat(partial_path_, "/manifest.json")));
  ENIGMA_RETURN_IF_ERROR(folder_.Change("write the manifest"));
  ENIGMA_RETURN_IF_ERROR(file->Append({reinterpret_cast<const uint8_t*>(json.data()), json.size()}));
  ENIGMA_RETURN_IF_ERROR(folder_.Change("flush the manifest"));
  ENIGMA_RETURN_IF_ERROR(file->Finish());
  ENIGMA_RETURN_IF_ERROR(folder_.Change("flush the folder"));
  return SyncFolder(partial_path_);
}

absl::Status CheckpointWriter::PutInPlace() {
  const std::string path = folder_.PathOf(step_);
  absl::MutexLock lock(&folder_.mutex_);
  // Begin has seen that what has the name is damaged.
  std::error_code error;
  if (std::filesystem::exists(path, error)) ENIGMA_RETURN_IF_ERROR(folder_.Remove(step_));
  ENIGMA_RETURN_IF_ERROR(folder_.Change("rename the folder"));
  if (::rename(partial_path_.c_str(), path.c_str()) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat(partial_path_, ": cannot rename to ", path));
  }
  in_place_ = true;
  folder_.known_whole_ = step_;
  ENIGMA_RETURN_IF_ERROR(folder_.Change("flush the folder of all"));
  return SyncFolder(folder_.path());
}

}  // namespace enigma::engine
