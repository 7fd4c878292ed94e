#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

#include "coordinator/operations/control_plane.h"
#include "proto/rank.grpc.pb.h"

namespace enigma::coordinator {

// The stream of a job to one worker: orders down, events up. Opened again and again while the worker's node attends,
// until it is closed; the rank outlives each of them. Thread-safe.
class RankStream {
 public:
  // What the rank is told first on each stream.
  using MakePreparation = std::function<enigma::v1::PrepareRank()>;
  // Both are called on the stream's own thread, and may not close it.
  using OnEvent = std::function<void(const enigma::v1::RankEvent& event)>;
  // The stream ended, or could not be opened. OK: the worker has let the rank go.
  using OnLost = std::function<void(const absl::Status& why)>;

  RankStream(ControlPlane& plane, std::string node_id, MakePreparation prepare, OnEvent on_event, OnLost on_lost);
  ~RankStream();
  RankStream(const RankStream&) = delete;
  RankStream& operator=(const RankStream&) = delete;

  // False: there is no stream now.
  bool Send(const enigma::v1::RankOrder& order);
  // The last order; the stream ends once the worker has taken it, and no other is opened.
  void SendLast(const enigma::v1::RankOrder& order);
  // Ends it without a word; the rank goes on.
  void Cancel();
  // Nothing more comes, and destroying it does not block. Only after SendLast or Cancel.
  [[nodiscard]] bool over() const { return over_; }

 private:
  using Stream = grpc::ClientReaderWriter<enigma::v1::RankOrder, enigma::v1::RankEvent>;

  void Run();
  void RunUntilStopped();
  absl::Status RunOnce();
  // Whether it is to end; waits for that, `timeout` at most.
  bool Stopping(absl::Duration timeout);

  ControlPlane& plane_;
  const std::string node_id_;
  const MakePreparation prepare_;
  const OnEvent on_event_;
  const OnLost on_lost_;
  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::atomic<bool> over_ = false;
  grpc::ClientContext* context_ ABSL_GUARDED_BY(mutex_) = nullptr;
  Stream* stream_ ABSL_GUARDED_BY(mutex_) = nullptr;  // once the preparation is sent
  absl::Mutex send_mutex_;                            // one order at a time; before mutex_
  std::thread thread_;
};

}  // namespace enigma::coordinator
