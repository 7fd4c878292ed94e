#pragma once

#include <limits>
#include <map>
#include <string>
#include <vector>

#include <absl/synchronization/mutex.h>

#include "proto/rank.grpc.pb.h"

namespace enigma::worker {

// As much of a coordinator's JobFiles as the tests of ranks need. Breaks off when told to.
class SmallJobFiles final : public v1::JobFiles::Service {
 public:
  struct Stored {
    v1::StoreJobFileRequest::Head head;
    std::string data;
  };

  v1::JobFile Add(const std::string& name, std::string data);
  // Every Fetch ends after so many bytes; 0: never.
  void BreakAfter(uint64_t bytes);
  // The content that is sent differs from what its hash says, the first so many times.
  void Spoil(int times);
  // The first so many, or all of those to come that are of this kind; empty: of any.
  void RefuseStores(const grpc::Status& why, int times = std::numeric_limits<int>::max(), const std::string& kind = "");
  // Whatever is stored is there already: its head is answered, and the rest not read.
  void HaveAll();
  std::vector<Stored> stored() const;
  std::vector<uint64_t> offsets() const;  // of the fetches, in order

  grpc::Status Fetch(grpc::ServerContext* context, const v1::FetchJobFileRequest* request,
                     grpc::ServerWriter<v1::FileChunk>* writer) override;
  grpc::Status Store(grpc::ServerContext* context, grpc::ServerReader<v1::StoreJobFileRequest>* reader,
                     v1::StoreJobFileReply* reply) override;

 private:
  mutable absl::Mutex mutex_;
  std::map<std::string, std::string> files_ ABSL_GUARDED_BY(mutex_);
  uint64_t break_after_ ABSL_GUARDED_BY(mutex_) = 0;
  int spoil_ ABSL_GUARDED_BY(mutex_) = 0;
  grpc::Status refusal_ ABSL_GUARDED_BY(mutex_);
  int refusals_ ABSL_GUARDED_BY(mutex_) = 0;  // that are left
  std::string refused_kind_ ABSL_GUARDED_BY(mutex_);
  bool have_all_ ABSL_GUARDED_BY(mutex_) = false;
  std::vector<Stored> stored_ ABSL_GUARDED_BY(mutex_);
  std::vector<uint64_t> offsets_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace enigma::worker
