#include "coordinator/jobs/received_file.h"

#include <filesystem>
#include <system_error>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"

namespace enigma::coordinator {

absl::StatusOr<std::unique_ptr<ReceivedFile>> ReceivedFile::Create(std::string path) {
  std::unique_ptr<ReceivedFile> file(new ReceivedFile(std::move(path)));
  std::error_code ignored;  // then it cannot be made either
  std::filesystem::remove(file->partial_path_, ignored);
  ENIGMA_ASSIGN_OR_RETURN(file->file_, engine::DurableFile::Create(file->partial_path_));
  return file;
}

ReceivedFile::~ReceivedFile() {
  file_.reset();
  std::error_code ignored;  // it is not there after Commit
  std::filesystem::remove(partial_path_, ignored);
}

absl::Status ReceivedFile::Append(std::string_view bytes) {
  const auto* data = reinterpret_cast<const uint8_t*>(bytes.data());
  ENIGMA_RETURN_IF_ERROR(file_->Append({data, bytes.size()}));
  hasher_.Update(data, bytes.size());
  bytes_ += bytes.size();
  return absl::OkStatus();
}

absl::Status ReceivedFile::Commit(uint64_t bytes, std::string_view sha256) {
  const engine::Sha256 hash = hasher_.Finish();
  if (bytes != bytes_) {
    return absl::DataLossError(absl::StrCat(path_, ": ", bytes, " bytes were announced and ", bytes_, " came"));
  }
  if (!sha256.empty() && sha256 != std::string_view(reinterpret_cast<const char*>(hash.data()), hash.size())) {
    return absl::DataLossError(absl::StrCat(path_, " has arrived with another content than was sent"));
  }
  ENIGMA_RETURN_IF_ERROR(file_->Finish());
  std::error_code error;
  std::filesystem::rename(partial_path_, path_, error);
  if (error) return absl::ErrnoToStatus(error.value(), absl::StrCat("cannot put ", path_, " into its place"));
  return engine::SyncFolder(std::filesystem::path(path_).parent_path().string());
}

}  // namespace enigma::coordinator
