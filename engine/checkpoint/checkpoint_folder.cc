#include "engine/checkpoint/checkpoint_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <filesystem>
#include <set>
#include <system_error>
#include <utility>

#include <absl/cleanup/cleanup.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/strings/str_join.h>

#include "base/status_macros.h"
#include "engine/checkpoint/checkpoint_writer.h"
#include "engine/checkpoint/durable_file.h"

namespace enigma::engine {
namespace {

constexpr char kPrefix[] = "step-";
constexpr char kUnfinished[] = ".partial";
constexpr uint64_t kManifestBytesMax = uint64_t{1} << 20;
constexpr size_t kReadBytes = size_t{1} << 20;

std::string NameOfStep(uint64_t step) { return absl::StrFormat("%s%09d", kPrefix, step); }

std::optional<uint64_t> StepFromName(const std::string& name) {
  if (!absl::StartsWith(name, kPrefix)) return std::nullopt;
  const char* end = name.data() + name.size();
  uint64_t step = 0;
  const auto read = std::from_chars(name.data() + sizeof kPrefix - 1, end, step);
  if (read.ec != std::errc() || read.ptr != end || name != NameOfStep(step)) return std::nullopt;
  return step;
}

absl::StatusOr<std::vector<std::string>> NamesIn(const std::string& path) {
  std::error_code error;
  std::vector<std::string> names;
  std::filesystem::directory_iterator entry(path, error);
  for (; !error && entry != std::filesystem::directory_iterator(); entry.increment(error)) {
    names.push_back(entry->path().filename().string());
  }
  if (error) return absl::ErrnoToStatus(error.value(), absl::StrCat(path, ": cannot list"));
  std::sort(names.begin(), names.end());
  return names;
}

absl::Status RemoveTree(const std::string& path) {
  std::error_code error;
  std::filesystem::remove_all(path, error);
  if (error) return absl::ErrnoToStatus(error.value(), absl::StrCat(path, ": cannot remove"));
  return absl::OkStatus();
}

// DataLoss unless it is a regular file of that length.
absl::Status CheckLength(const std::string& path, uint64_t bytes) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    if (errno == ENOENT || errno == ENOTDIR) return absl::DataLossError(absl::StrCat(path, ": the file is missing"));
    return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot read the size"));
  }
  if (!S_ISREG(info.st_mode)) return absl::DataLossError(absl::StrCat(path, ": is not a regular file"));
  if (static_cast<uint64_t>(info.st_size) == bytes) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(path, ": has ", info.st_size, " bytes, the manifest says ", bytes));
}

// Hands a file's bytes on in parts.
absl::Status ReadFile(const std::string& path, const std::function<void(const char*, size_t)>& take) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot open"));
  const absl::Cleanup close = [fd] { ::close(fd); };
  std::vector<char> buffer(kReadBytes);
  while (true) {
    const ssize_t got = ::read(fd, buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot read"));
    if (got == 0) return absl::OkStatus();
    take(buffer.data(), static_cast<size_t>(got));
  }
}

absl::Status CheckHash(const std::string& path, const Sha256& hash) {
  Sha256Hasher hasher;
  ENIGMA_RETURN_IF_ERROR(ReadFile(path, [&](const char* data, size_t size) { hasher.Update(data, size); }));
  if (hasher.Finish() == hash) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(path, ": its content is not what was written: the SHA-256 differs"));
}

absl::StatusOr<CheckpointManifest> ReadManifest(const std::string& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) {
    if (errno == ENOENT) return absl::DataLossError(absl::StrCat(path, ": the file is missing"));
    return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot read the size"));
  }
  if (!S_ISREG(info.st_mode) || static_cast<uint64_t>(info.st_size) > kManifestBytesMax) {
    return absl::DataLossError(absl::StrCat(path, ": is no file of at most ", kManifestBytesMax, " bytes"));
  }
  std::string json;
  ENIGMA_RETURN_IF_ERROR(ReadFile(path, [&](const char* data, size_t size) { json.append(data, size); }));
  auto manifest = CheckpointManifestFromJson(json);
  if (!manifest.ok()) {
    return absl::Status(manifest.status().code(), absl::StrCat(path, ": ", manifest.status().message()));
  }
  return manifest;
}

// Which of the usable ones in [0, newest] stay.
std::set<uint64_t> StepsToKeep(const std::vector<ListedCheckpoint>& list, size_t newest, const PrunePolicy& policy) {
  std::set<uint64_t> newest_ones;
  const CheckpointManifest* best = nullptr;
  for (size_t i = newest + 1; i-- > 0;) {
    if (!list[i].manifest.ok()) continue;
    const CheckpointManifest& manifest = *list[i].manifest;
    if (newest_ones.size() < std::max<size_t>(1, policy.keep_newest)) newest_ones.insert(manifest.step);
    const bool better =
        manifest.validation_loss && (best == nullptr || *manifest.validation_loss < *best->validation_loss);
    if (better) best = &manifest;
  }
  std::set<uint64_t> keep = policy.keep_steps;
  keep.merge(newest_ones);
  if (policy.keep_best && best != nullptr) keep.insert(best->step);
  return keep;
}

}  // namespace

absl::StatusOr<std::unique_ptr<CheckpointFolder>> CheckpointFolder::Open(Options options) {
  std::unique_ptr<CheckpointFolder> folder(new CheckpointFolder(std::move(options)));
  std::error_code error;
  std::filesystem::create_directories(folder->path(), error);
  if (error) return absl::ErrnoToStatus(error.value(), absl::StrCat(folder->path(), ": cannot make the folder"));
  ENIGMA_RETURN_IF_ERROR(folder->RemoveUnfinished());
  return folder;
}

absl::Status CheckpointFolder::Change(const std::string& what) const {
  return options_.before_change ? options_.before_change(what) : absl::OkStatus();
}

std::string CheckpointFolder::PathOf(uint64_t step) const { return absl::StrCat(options_.path, "/", NameOfStep(step)); }

std::string CheckpointFolder::FilePath(uint64_t step, const std::string& file) const {
  return absl::StrCat(PathOf(step), "/", file);
}

absl::Status CheckpointFolder::RemoveUnfinished() const {
  ENIGMA_ASSIGN_OR_RETURN(const auto names, NamesIn(options_.path));
  for (const std::string& name : names) {
    if (!absl::StartsWith(name, kPrefix) || !absl::EndsWith(name, kUnfinished)) continue;
    ENIGMA_RETURN_IF_ERROR(Change("remove what is unfinished"));
    ENIGMA_RETURN_IF_ERROR(RemoveTree(absl::StrCat(options_.path, "/", name)));
  }
  return absl::OkStatus();
}

// Renamed first: a folder of which only some files are gone must not have the name of a checkpoint.
absl::Status CheckpointFolder::Remove(uint64_t step) const {
  const std::string path = PathOf(step);
  const std::string doomed = absl::StrCat(path, ".removed", kUnfinished);
  ENIGMA_RETURN_IF_ERROR(RemoveTree(doomed));
  ENIGMA_RETURN_IF_ERROR(Change("rename what is to be removed"));
  if (::rename(path.c_str(), doomed.c_str()) != 0) {
    return absl::ErrnoToStatus(errno, absl::StrCat(path, ": cannot rename to ", doomed));
  }
  ENIGMA_RETURN_IF_ERROR(Change("remove"));
  return RemoveTree(doomed);
}

absl::StatusOr<std::unique_ptr<CheckpointWriter>> CheckpointFolder::Begin(uint64_t step, uint64_t bytes_expected) {
  {
    absl::MutexLock lock(&mutex_);
    if (writing_) {
      return absl::FailedPreconditionError(absl::StrCat(options_.path, ": another checkpoint is being written"));
    }
    ENIGMA_RETURN_IF_ERROR(RemoveUnfinished());
    const auto present = Read(step, CheckpointCheck::kHashes);
    if (present.ok()) return absl::AlreadyExistsError(absl::StrCat(PathOf(step), ": is there already"));
    if (!absl::IsNotFound(present.status()) && !absl::IsDataLoss(present.status())) return present.status();
    ENIGMA_ASSIGN_OR_RETURN(const uint64_t free, FreeDiskBytes(options_.path));
    if (bytes_expected > free) {
      return absl::ResourceExhaustedError(absl::StrCat(PathOf(step), ": the disk is too full: ", bytes_expected,
                                                       " bytes are needed, ", free, " are free"));
    }
    writing_ = true;
  }
  std::unique_ptr<CheckpointWriter> writer(new CheckpointWriter(*this, step));
  ENIGMA_RETURN_IF_ERROR(writer->MakeFolder());
  return writer;
}

absl::StatusOr<CheckpointManifest> CheckpointFolder::Read(uint64_t step, CheckpointCheck check) const {
  const std::string path = PathOf(step);
  std::error_code error;
  if (!std::filesystem::exists(path, error) && !error) {
    return absl::NotFoundError(absl::StrCat(path, ": there is no such checkpoint"));
  }
  ENIGMA_ASSIGN_OR_RETURN(CheckpointManifest manifest, ReadManifest(path + "/manifest.json"));
  if (manifest.step != step) {
    return absl::DataLossError(absl::StrCat(path, ": its manifest is that of step ", manifest.step));
  }
  for (const CheckpointFile& file : manifest.files) {
    ENIGMA_RETURN_IF_ERROR(CheckLength(FilePath(step, file.name), file.bytes));
  }
  if (check == CheckpointCheck::kLengths) return manifest;
  for (const CheckpointFile& file : manifest.files) {
    ENIGMA_RETURN_IF_ERROR(CheckHash(FilePath(step, file.name), file.hash));
  }
  return manifest;
}

absl::StatusOr<std::vector<ListedCheckpoint>> CheckpointFolder::List() const {
  absl::MutexLock lock(&mutex_);
  return ListLocked();
}

absl::StatusOr<std::vector<ListedCheckpoint>> CheckpointFolder::ListLocked() const {
  ENIGMA_ASSIGN_OR_RETURN(const auto names, NamesIn(options_.path));
  std::vector<ListedCheckpoint> list;
  for (const std::string& name : names) {
    const auto step = StepFromName(name);
    if (step) list.push_back({*step, Read(*step, CheckpointCheck::kLengths)});
  }
  // Longer names stand before shorter ones where names are sorted.
  std::sort(list.begin(), list.end(), [](const auto& a, const auto& b) { return a.step < b.step; });
  return list;
}

absl::StatusOr<NewestCheckpoint> CheckpointFolder::NewestValid(CheckpointCheck check) const {
  absl::MutexLock lock(&mutex_);
  ENIGMA_ASSIGN_OR_RETURN(const auto list, ListLocked());
  NewestCheckpoint newest;
  for (size_t i = list.size(); i-- > 0;) {
    auto manifest = list[i].manifest;
    if (manifest.ok() && check == CheckpointCheck::kHashes) manifest = Read(list[i].step, check);
    if (manifest.ok()) {
      newest.manifest = *std::move(manifest);
      return newest;
    }
    newest.skipped.push_back(std::string(manifest.status().message()));
  }
  return absl::NotFoundError(
      absl::StrCat(options_.path, ": there is no checkpoint",
                   newest.skipped.empty() ? "" : " that can be used: ", absl::StrJoin(newest.skipped, "; ")));
}

absl::StatusOr<std::optional<size_t>> CheckpointFolder::FindNewestWhole(const std::vector<ListedCheckpoint>& list) {
  for (size_t i = list.size(); i-- > 0;) {
    if (!list[i].manifest.ok()) continue;
    if (known_whole_ != list[i].step) {
      const absl::Status whole = Read(list[i].step, CheckpointCheck::kHashes).status();
      if (absl::IsDataLoss(whole)) continue;
      ENIGMA_RETURN_IF_ERROR(whole);
      known_whole_ = list[i].step;
    }
    return i;
  }
  return std::nullopt;
}

absl::StatusOr<std::vector<uint64_t>> CheckpointFolder::Prune(const PrunePolicy& policy) {
  absl::MutexLock lock(&mutex_);
  std::vector<uint64_t> removed;
  ENIGMA_ASSIGN_OR_RETURN(const auto list, ListLocked());
  ENIGMA_ASSIGN_OR_RETURN(const std::optional<size_t> newest, FindNewestWhole(list));
  if (!newest) return removed;
  const std::set<uint64_t> keep = StepsToKeep(list, *newest, policy);
  for (size_t i = 0; i < *newest; ++i) {
    const absl::Status& status = list[i].manifest.status();
    // Neither what another version wrote nor what cannot be read at the moment is known to be useless.
    const bool known = status.ok() || absl::IsDataLoss(status);
    if (!known || keep.contains(list[i].step)) continue;
    ENIGMA_RETURN_IF_ERROR(Remove(list[i].step));
    removed.push_back(list[i].step);
  }
  return removed;
}

absl::Status CheckpointFolder::RemoveAfter(uint64_t step) {
  absl::MutexLock lock(&mutex_);
  ENIGMA_ASSIGN_OR_RETURN(const auto list, ListLocked());
  for (const ListedCheckpoint& listed : list) {
    if (listed.step > step) ENIGMA_RETURN_IF_ERROR(Remove(listed.step));
  }
  return absl::OkStatus();
}

bool CheckpointFolder::writing() const {
  absl::MutexLock lock(&mutex_);
  return writing_;
}

}  // namespace enigma::engine
