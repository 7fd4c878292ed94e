#include "coordinator/jobs/job_folders.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <fstream>
#include <system_error>
#include <utility>
#include <vector>

#include <absl/strings/match.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/spec/manifest.h"
#include "telemetry/log.h"

namespace enigma::coordinator {
namespace {

constexpr std::string_view kCheckpointPrefix = "checkpoint-";
constexpr size_t kReadBytes = 1 << 20;

absl::Status FileError(const std::string& what, const std::string& path, const std::error_code& error) {
  const absl::Status status = absl::ErrnoToStatus(error.value(), absl::StrCat("cannot ", what, " ", path));
  return status;
}

absl::Status MakeFolder(const std::string& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  return error ? FileError("make the folder", path, error) : absl::OkStatus();
}

absl::StatusOr<JobFolders::Checkpoint> DescribeCheckpoint(uint64_t job, const engine::CheckpointManifest& manifest) {
  const auto file = std::find_if(manifest.files.begin(), manifest.files.end(),
                                 [](const engine::CheckpointFile& its) { return its.name == kStateFile; });
  if (file == manifest.files.end()) {
    return absl::DataLossError(
        absl::StrCat("job ", job, ": the checkpoint of step ", manifest.step, " holds no ", kStateFile));
  }
  return JobFolders::Checkpoint{manifest.step,
                                {CheckpointFileName(manifest.step), file->bytes,
                                 std::string(reinterpret_cast<const char*>(file->hash.data()), file->hash.size())}};
}

}  // namespace

std::string CheckpointFileName(uint64_t step) { return absl::StrCat(ToAbsl(kCheckpointPrefix), step); }

std::string JobFolders::PathOf(uint64_t job) const { return absl::StrCat(path_, "/", job); }

absl::Status JobFolders::Create(uint64_t job) {
  ENIGMA_RETURN_IF_ERROR(MakeFolder(IncomingPath(job)));
  return MakeFolder(PathOf(job) + "/exports");
}

absl::Status JobFolders::Remove(uint64_t job) {
  {
    absl::MutexLock lock(&mutex_);
    checkpoints_.erase(job);
    whole_.erase(job);
  }
  std::error_code error;
  std::filesystem::remove_all(PathOf(job), error);
  return error ? FileError("remove", PathOf(job), error) : absl::OkStatus();
}

absl::Status JobFolders::RemoveAllBut(const std::set<uint64_t>& jobs) {
  std::error_code error;
  if (!std::filesystem::exists(path_, error)) return absl::OkStatus();
  std::vector<uint64_t> others;
  for (const auto& entry : std::filesystem::directory_iterator(path_, error)) {
    uint64_t id = 0;
    if (absl::SimpleAtoi(entry.path().filename().string(), &id) && !jobs.contains(id)) others.push_back(id);
  }
  if (error) return FileError("read the folder", path_, error);
  for (const uint64_t id : others) {
    LogInfo("{} belongs to no job and is removed", PathOf(id));
    ENIGMA_RETURN_IF_ERROR(Remove(id));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> JobFolders::ExportPath(uint64_t job, std::string_view kind) const {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kFiles = {
      {{"gguf", "model.gguf"},
       {"safetensors", "model.safetensors"},
       {"adapter", "adapter.gguf"},
       {"encoder", "encoder.gguf"},
       {"config", "config.json"},
       {"tokenizer", "tokenizer.json"},
       {"generation_config", "generation_config.json"},
       {"tokenizer_config", "tokenizer_config.json"}}};
  for (const auto& [name, file] : kFiles) {
    if (name == kind) return absl::StrCat(PathOf(job), "/exports/", ToAbsl(file));
  }
  return absl::InvalidArgumentError(absl::StrCat("'", ToAbsl(kind), "' is no kind of file that a job stores"));
}

absl::StatusOr<std::shared_ptr<engine::CheckpointFolder>> JobFolders::Checkpoints(uint64_t job) {
  absl::MutexLock lock(&mutex_);
  std::shared_ptr<engine::CheckpointFolder>& folder = checkpoints_[job];
  if (folder == nullptr) {
    ENIGMA_ASSIGN_OR_RETURN(
        folder, engine::CheckpointFolder::Open({.path = PathOf(job) + "/checkpoints", .before_change = {}}));
  }
  return folder;
}

absl::StatusOr<JobFolders::Checkpoint> JobFolders::CheckpointOf(uint64_t job, uint64_t step) {
  ENIGMA_ASSIGN_OR_RETURN(const auto folder, Checkpoints(job));
  ENIGMA_ASSIGN_OR_RETURN(const engine::CheckpointManifest manifest,
                          folder->Read(step, engine::CheckpointCheck::kHashes));
  return DescribeCheckpoint(job, manifest);
}

absl::StatusOr<JobFolders::Checkpoint> JobFolders::NewestCheckpoint(uint64_t job) {
  ENIGMA_ASSIGN_OR_RETURN(const auto folder, Checkpoints(job));
  auto newest = folder->NewestValid(engine::CheckpointCheck::kLengths);
  uint64_t known = 0;
  {
    absl::MutexLock lock(&mutex_);
    known = whole_[job];
  }
  if (newest.ok() && newest->manifest.step != known) newest = folder->NewestValid(engine::CheckpointCheck::kHashes);
  if (absl::IsNotFound(newest.status())) return Checkpoint();
  ENIGMA_RETURN_IF_ERROR(newest.status());
  for (const std::string& why : newest->skipped) LogWarn("job {}: a checkpoint cannot be used: {}", job, why);
  ENIGMA_ASSIGN_OR_RETURN(Checkpoint described, DescribeCheckpoint(job, newest->manifest));
  absl::MutexLock lock(&mutex_);
  whole_[job] = described.step;
  return described;
}

absl::StatusOr<std::string> JobFolders::FindFile(uint64_t job, std::string_view name) {
  if (name == kTokenSetFile) return TokenSetPath(job);
  if (name == kTokenizerFile) return TokenizerPath(job);
  if (name == kPictureSetFile) return PictureSetPath(job);
  uint64_t step = 0;
  if (name.starts_with(kCheckpointPrefix) && absl::SimpleAtoi(ToAbsl(name.substr(kCheckpointPrefix.size())), &step)) {
    ENIGMA_ASSIGN_OR_RETURN(const auto folder, Checkpoints(job));
    return folder->FilePath(step, kStateFile);
  }
  return absl::NotFoundError(absl::StrCat("job ", job, " has no file '", ToAbsl(name), "'"));
}

absl::StatusOr<JobFileInfo> DescribeFile(const std::string& path, std::string name) {
  std::ifstream file(path, std::ios::binary);
  engine::Sha256Hasher hasher;
  JobFileInfo info;
  info.name = std::move(name);
  std::vector<char> piece(kReadBytes);
  while (file) {
    file.read(piece.data(), static_cast<std::streamsize>(piece.size()));
    hasher.Update(piece.data(), static_cast<size_t>(file.gcount()));
    info.bytes += static_cast<uint64_t>(file.gcount());
  }
  if (!file.eof()) return absl::UnavailableError(absl::StrCat("cannot read ", path));
  const engine::Sha256 hash = hasher.Finish();
  info.sha256.assign(reinterpret_cast<const char*>(hash.data()), hash.size());
  return info;
}

}  // namespace enigma::coordinator
