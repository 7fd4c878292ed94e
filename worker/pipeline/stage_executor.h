#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>

#include "base/bounded_queue.h"
#include "base/clock.h"
#include "proto/membership.pb.h"
#include "telemetry/metrics.h"
#include "worker/batching/sequence_book.h"
#include "worker/pipeline/frame_buffer.h"
#include "worker/pipeline/stage_inbox.h"
#include "worker/pipeline/stage_link.h"
#include "worker/pipeline/stage_metrics.h"
#include "worker/pipeline/step_runner.h"
#include "worker/pipeline/token_outbox.h"

namespace enigma::worker {

// One stage of one replica at work. A thread of its own computes; gRPC's threads only put events into the inbox. The
// first stage forms steps, middle stages obey them, the last samples and tells the first; a replica of one stage is all
// three. The public interface is thread-safe.
class StageExecutor {
 public:
  struct Options {
    uint64_t replica = 0;
    std::string model;
    std::string node_id;  // this node, for messages
    uint32_t stage_index = 0;
    uint32_t stage_count = 1;
    uint32_t first_layer = 0;
    uint32_t last_layer = 0;
    uint32_t kv_blocks = 0;
    uint32_t max_rows = 512;
    WireType wire_type = WireType::kF32;
    // Called once, on the compute thread, when the stage cannot go on.
    std::function<void(const v1::ReplicaFailure&)> on_failure;
  };
  // `turn`: see StepRunner. References outlive the executor.
  StageExecutor(Options options, LoadedStage loaded, absl::Mutex& turn, Metrics& metrics,
                const Clock& clock = Clock::System());
  ~StageExecutor();

  // All stages.
  const Options& options() const { return options_; }
  const engine::Stage& stage() const { return runner_.stage(); }
  uint64_t memory_bytes() const { return stage().weight_bytes() + stage().kv_bytes() + stage().workspace_bytes(); }
  // Opens the link to the next stage (last: to the first). `next_node` is for messages.
  absl::Status Connect(const std::shared_ptr<grpc::Channel>& channel, const std::string& next_node);
  // Where frames from `peer` go; an error when it is not this stage's predecessor.
  absl::StatusOr<std::shared_ptr<FrameReceiver>> ReceiverFor(const LinkPeer& peer);
  v1::StageStatus Status() const;

  // First stage. The replies of a submitter are closed when another takes its place or the stage goes.
  using Replies = BoundedQueue<v1::SubmitReply>;
  absl::StatusOr<std::shared_ptr<Replies>> AttachSubmitter();
  // Drops every sequence, if this is still the submitter.
  void DetachSubmitter(const std::shared_ptr<Replies>& replies);
  absl::Status Open(v1::OpenSequence open) { return inbox_->Ask(OpenRequested{std::move(open)}); }
  absl::Status Cancel(uint64_t sequence) { return inbox_->Ask(CancelRequested{sequence}); }
  uint32_t free_blocks() const { return free_blocks_; }  // as of the last step

  // Last stage.
  // What the output of a sequence that is about to be opened must look like; see ConstraintShelf. Compiles on the
  // caller's thread.
  absl::Status PrepareConstraint(uint64_t sequence, std::string_view json_schema);
  // Shared with the stream that reads it, which may outlive the stage.
  const std::shared_ptr<TokenOutbox>& tokens() { return outbox_; }

 private:
  bool is_first() const { return options_.stage_index == 0; }
  bool is_last() const { return options_.stage_index + 1 == options_.stage_count; }

  void Run();
  void Handle(StageEvent& event);
  void HandleFrame(const FrameArrived& arrived);
  absl::Status ObeyStep(const ReceivedFrame& frame);
  absl::Status TakeTokens(const ReceivedFrame& frame);
  void HandleLinkLost(const LinkLost& lost);
  void HandleOpen(v1::OpenSequence open);
  bool LeadStep();
  absl::Status RunStep(const StepPlan& plan, std::string_view encoded_plan, std::span<const float> hidden);
  absl::Status SendOn(const StepPlan& plan, std::string_view encoded_plan, const StepRunner::Result& result);
  absl::Status Deliver(const StepPlan& plan, StepRunner::Result result);
  absl::Status Send(grpc::ByteBuffer frame);
  void Refuse(uint64_t sequence, const std::string& error);
  void Fail(const absl::Status& reason, const std::string& peer_node, bool report);
  void UpdateStatus();
  std::string Describe(const absl::Status& reason) const;

  const Options options_;
  const Clock& clock_;
  StageMetrics metrics_;
  // Shared with incoming streams, which may outlive the stage; see StageLinkService.
  const std::shared_ptr<StageInbox> inbox_;
  const std::shared_ptr<TokenOutbox> outbox_ = std::make_shared<TokenOutbox>();

  // Compute thread only.
  StepRunner runner_;
  std::optional<SequenceBook> book_;  // first stage
  engine::AlignedBuffer<float> received_;
  uint64_t next_step_ = 0;               // expected from the previous stage
  std::vector<absl::Duration> sent_at_;  // first stage of several: of the steps in flight, by step modulo its size
  absl::Duration link_waited_;           // of next_, as last counted
  bool upstream_bye_ = false;

  // Written by the compute thread, read by all.
  std::atomic<uint64_t> steps_{0};
  std::atomic<int64_t> last_step_ns_{-1};
  mutable std::atomic<int64_t> idle_ns_{0};  // when Status last saw it without work; at first when it was made
  std::atomic<uint32_t> sequences_{0};
  std::atomic<uint32_t> free_blocks_{0};
  std::atomic<uint64_t> preemptions_{0};
  std::atomic<bool> computing_{false};

  mutable absl::Mutex mutex_;
  std::unique_ptr<StageLink> next_ ABSL_GUARDED_BY(mutex_);  // set once
  std::string next_node_ ABSL_GUARDED_BY(mutex_);
  std::shared_ptr<Replies> replies_ ABSL_GUARDED_BY(mutex_);
  std::optional<absl::Status> failure_ ABSL_GUARDED_BY(mutex_);

  std::thread thread_;  // last, so that it starts with everything in place
};

}  // namespace enigma::worker
