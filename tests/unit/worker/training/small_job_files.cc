#include "tests/unit/worker/training/small_job_files.h"

#include <algorithm>
#include <utility>

#include "engine/spec/manifest.h"

namespace enigma::worker {

v1::JobFile SmallJobFiles::Add(const std::string& name, std::string data) {
  const engine::Sha256 hash = engine::Sha256Of(data);
  v1::JobFile file;
  file.set_name(name);
  file.set_bytes(data.size());
  file.set_sha256(std::string(hash.begin(), hash.end()));
  absl::MutexLock lock(&mutex_);
  files_[name] = std::move(data);
  return file;
}

void SmallJobFiles::BreakAfter(uint64_t bytes) {
  absl::MutexLock lock(&mutex_);
  break_after_ = bytes;
}

void SmallJobFiles::Spoil(int times) {
  absl::MutexLock lock(&mutex_);
  spoil_ = times;
}

void SmallJobFiles::RefuseStores(const grpc::Status& why, int times, const std::string& kind) {
  absl::MutexLock lock(&mutex_);
  refusal_ = why;
  refusals_ = times;
  refused_kind_ = kind;
}

void SmallJobFiles::HaveAll() {
  absl::MutexLock lock(&mutex_);
  have_all_ = true;
}

std::vector<SmallJobFiles::Stored> SmallJobFiles::stored() const {
  absl::MutexLock lock(&mutex_);
  return stored_;
}

std::vector<uint64_t> SmallJobFiles::offsets() const {
  absl::MutexLock lock(&mutex_);
  return offsets_;
}

grpc::Status SmallJobFiles::Fetch(grpc::ServerContext*, const v1::FetchJobFileRequest* request,
                                  grpc::ServerWriter<v1::FileChunk>* writer) {
  constexpr uint64_t kChunk = 100'000;
  std::string data;
  uint64_t end = 0;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = files_.find(request->name());
    if (found == files_.end()) return {grpc::StatusCode::NOT_FOUND, "no such file"};
    offsets_.push_back(request->offset());
    data = found->second;
    end = break_after_ == 0 ? data.size() : std::min<uint64_t>(data.size(), request->offset() + break_after_);
    if (spoil_ > 0 && --spoil_ >= 0) data.back() = static_cast<char>(data.back() + 1);
  }
  v1::FileChunk chunk;
  chunk.set_total_bytes(data.size());
  for (uint64_t at = request->offset(); at < end; at += kChunk) {
    chunk.set_data(data.substr(at, std::min(kChunk, end - at)));
    if (!writer->Write(chunk)) break;
    chunk.clear_total_bytes();
  }
  return end < data.size() ? grpc::Status(grpc::StatusCode::UNAVAILABLE, "broken off") : grpc::Status::OK;
}

grpc::Status SmallJobFiles::Store(grpc::ServerContext*, grpc::ServerReader<v1::StoreJobFileRequest>* reader,
                                  v1::StoreJobFileReply*) {
  Stored taken;
  v1::StoreJobFileRequest request;
  while (reader->Read(&request)) {
    if (request.has_head()) taken.head = request.head();
    taken.data += request.data();
    absl::MutexLock lock(&mutex_);
    if (have_all_) return grpc::Status::OK;
    if (refused_kind_.empty() || refused_kind_ == taken.head.kind()) {
      if (refusals_ > 0 && --refusals_ >= 0) return refusal_;
    }
  }
  const engine::Sha256 hash = engine::Sha256Of(taken.data);
  if (taken.data.size() != taken.head.total_bytes() || taken.head.sha256() != std::string(hash.begin(), hash.end())) {
    return {grpc::StatusCode::DATA_LOSS, "not what its head says"};
  }
  absl::MutexLock lock(&mutex_);
  stored_.push_back(std::move(taken));
  return grpc::Status::OK;
}

}  // namespace enigma::worker
