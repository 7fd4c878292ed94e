#include "worker/pipeline/stage_executor.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/sampling/sampler.h"
#include "telemetry/log.h"
#include "worker/pipeline/label_question.h"
#include "worker/pipeline/prompt_check.h"
#include "worker/pipeline/sampling_params.h"

namespace enigma::worker {
namespace {

constexpr size_t kRequestsMax = 65536;
constexpr size_t kRepliesMax = 65536;

}  // namespace

StageExecutor::StageExecutor(Options options, LoadedStage loaded, absl::Mutex& turn, Metrics& metrics,
                             const Clock& clock)
    : options_(std::move(options)),
      clock_(clock),
      metrics_(metrics, options_.model, options_.stage_index),
      inbox_(std::make_shared<StageInbox>(/*frames_max=*/size_t{2} * options_.stage_count + 2, kRequestsMax)),
      runner_(std::move(loaded), {.kv_blocks = options_.kv_blocks, .max_rows = options_.max_rows}, turn) {
  if (is_first()) {
    book_.emplace(SequenceBook::Options{.kv_blocks = options_.kv_blocks,
                                        .context = stage().context(),
                                        .max_rows = options_.max_rows,
                                        .stage_count = options_.stage_count});
    free_blocks_ = book_->free_blocks();
    sent_at_.resize(options_.stage_count);  // the most steps in flight
  }
  idle_ns_ = absl::ToInt64Nanoseconds(clock_.Monotonic());
  thread_ = std::thread([this] { Run(); });
}

StageExecutor::~StageExecutor() {
  inbox_->Close();
  thread_.join();
  outbox_->Close();
  absl::MutexLock lock(&mutex_);
  if (replies_ != nullptr) replies_->Close();
  next_.reset();
}

absl::Status StageExecutor::Connect(const std::shared_ptr<grpc::Channel>& channel, const std::string& next_node) {
  {
    absl::MutexLock lock(&mutex_);
    if (next_ != nullptr) {
      return absl::AlreadyExistsError(absl::StrCat("the stage is already connected to node ", next_node_));
    }
  }
  StageLink::Options link{
      .replica = options_.replica,
      .from_stage = options_.stage_index,
      .from_node = options_.node_id,
      .on_lost = [inbox = inbox_, next_node, replica = options_.replica](const absl::Status& reason) {
        inbox->Tell(LinkLost{
            .peer = {.replica = replica, .stage = 0, .node_id = next_node}, .outgoing = true, .reason = reason});
      }};
  ENIGMA_ASSIGN_OR_RETURN(std::unique_ptr<StageLink> opened, StageLink::Open(channel, std::move(link)));
  {
    absl::MutexLock lock(&mutex_);
    if (next_ != nullptr) return absl::AlreadyExistsError("the stage was connected twice at the same time");
    next_ = std::move(opened);
    next_node_ = next_node;
  }
  inbox_->Tell(Connected{});
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<FrameReceiver>> StageExecutor::ReceiverFor(const LinkPeer& peer) {
  const uint32_t previous = (options_.stage_index + options_.stage_count - 1) % options_.stage_count;
  if (peer.stage != previous || options_.stage_count == 1) {
    return absl::InvalidArgumentError(absl::StrCat("stage ", options_.stage_index, " of ", options_.stage_count,
                                                   " takes frames from stage ", previous, ", not from ", peer.stage));
  }
  return std::static_pointer_cast<FrameReceiver>(inbox_);
}

v1::StageStatus StageExecutor::Status() const {
  v1::StageStatus status;
  status.set_replica(options_.replica);
  status.set_model(options_.model);
  status.set_stage_index(options_.stage_index);
  status.set_first_layer(options_.first_layer);
  status.set_last_layer(options_.last_layer);
  status.set_sequences(sequences_);
  status.set_steps(steps_);
  if (is_first() && options_.kv_blocks > 0) {
    status.set_preemptions(preemptions_);
    status.set_kv_usage(1.0 - static_cast<double>(free_blocks_) / options_.kv_blocks);
  }
  // Read before `busy`: a step that begins in between is not older than it is.
  const absl::Duration now = clock_.Monotonic();
  const bool busy = computing_ || !inbox_->idle() || (is_first() && sequences_ > 0);
  status.set_busy(busy);
  if (!busy) idle_ns_ = absl::ToInt64Nanoseconds(now);
  const int64_t last = busy ? std::max<int64_t>(last_step_ns_, idle_ns_) : last_step_ns_.load();
  status.set_last_step_age_ms(
      last < 0 ? -1 : std::max<int64_t>(0, absl::ToInt64Milliseconds(now - absl::Nanoseconds(last))));
  return status;
}

absl::StatusOr<std::shared_ptr<StageExecutor::Replies>> StageExecutor::AttachSubmitter() {
  if (!is_first()) {
    return absl::FailedPreconditionError(
        absl::StrCat("sequences go to stage 0 of a replica; this is stage ", options_.stage_index));
  }
  absl::MutexLock lock(&mutex_);
  if (failure_) return *failure_;
  if (options_.stage_count > 1 && next_ == nullptr) {
    return absl::FailedPreconditionError("the stage is not connected to the next one yet");
  }
  if (replies_ != nullptr) replies_->Close();
  replies_ = std::make_shared<Replies>(kRepliesMax);
  return replies_;
}

void StageExecutor::DetachSubmitter(const std::shared_ptr<Replies>& replies) {
  absl::MutexLock lock(&mutex_);
  if (replies_ != replies) return;
  replies_->Close();
  replies_.reset();
  inbox_->Tell(CancelAllRequested{});
}

absl::Status StageExecutor::PrepareConstraint(uint64_t sequence, std::string_view json_schema) {
  ConstraintShelf* const constraints = runner_.constraints();
  if (constraints == nullptr) {
    return absl::FailedPreconditionError(
        absl::StrCat("the last stage of a replica samples; this is stage ", options_.stage_index));
  }
  return constraints->Put(sequence, json_schema);
}

void StageExecutor::Run() {
  while (true) {
    // The first stage goes on forming steps while it can; news that came meanwhile are heard between two steps.
    const bool led = LeadStep();
    // With several stages, a frame comes back for every step in flight; without a sequence nothing is expected.
    const bool expecting = options_.stage_count > 1 && sequences_ > 0;
    std::optional<StageEvent> event = inbox_->Pop(led         ? StageInbox::Wait::kNo
                                                  : expecting ? StageInbox::Wait::kSoon
                                                              : StageInbox::Wait::kLong);
    if (!event && inbox_->closed()) return;
    for (; event; event = inbox_->Pop(StageInbox::Wait::kNo)) Handle(*event);
  }
}

void StageExecutor::Handle(StageEvent& event) {
  if (auto* frame = std::get_if<FrameArrived>(&event)) return HandleFrame(*frame);
  if (auto* lost = std::get_if<LinkLost>(&event)) return HandleLinkLost(*lost);
  if (auto* open = std::get_if<OpenRequested>(&event)) return HandleOpen(std::move(open->open));
  if (auto* cancel = std::get_if<CancelRequested>(&event)) {
    if (book_) book_->Cancel(cancel->sequence);
  } else if (std::holds_alternative<CancelAllRequested>(event)) {
    if (book_) book_->CancelAll();
  }
  UpdateStatus();
}

void StageExecutor::HandleFrame(const FrameArrived& arrived) {
  {
    absl::MutexLock lock(&mutex_);
    if (failure_) return;
  }
  metrics_.queue_seconds.Increment(absl::ToDoubleSeconds(Clock::System().Monotonic() - arrived.arrived));
  metrics_.received_frames.Increment();
  metrics_.received_bytes.Increment(static_cast<double>(arrived.frame.Length()));
  absl::StatusOr<ReceivedFrame> frame = ReceivedFrame::Parse(arrived.frame);
  absl::Status done = frame.status();
  if (frame.ok()) {
    const FrameHeader& header = frame->view().header;
    if (header.type == FrameType::kBye) {
      upstream_bye_ = true;
      return;
    }
    if (header.replica != options_.replica) {
      done = absl::DataLossError(absl::StrCat("a frame of replica ", header.replica));
    } else {
      computing_ = true;
      done = is_first() ? TakeTokens(*frame) : ObeyStep(*frame);
      computing_ = false;
    }
  }
  if (done.ok()) return;
  metrics_.frames_rejected.Increment();
  Fail(absl::Status(done.code(), absl::StrCat("on a frame from node ", arrived.peer.node_id, ": ", done.message())), "",
       /*report=*/true);
}

absl::Status StageExecutor::TakeTokens(const ReceivedFrame& frame) {
  ENIGMA_ASSIGN_OR_RETURN(const std::vector<SampledToken> sampled, DecodeTokens(frame.view()));
  ENIGMA_RETURN_IF_ERROR(book_->Finish(frame.view().header.step, sampled));
  metrics_.round_trip_seconds.Increment(
      absl::ToDoubleSeconds(clock_.Monotonic() - sent_at_[frame.view().header.step % sent_at_.size()]));
  UpdateStatus();
  return absl::OkStatus();
}

absl::Status StageExecutor::ObeyStep(const ReceivedFrame& frame) {
  const FrameHeader& header = frame.view().header;
  ENIGMA_ASSIGN_OR_RETURN(const StepPlan plan, DecodePlan(frame.view()));
  if (plan.step != next_step_) {
    return absl::DataLossError(absl::StrCat("step ", plan.step, " came, ", next_step_, " is next"));
  }
  ++next_step_;
  if (header.hidden != stage().spec().hidden || header.wire_type != options_.wire_type) {
    return absl::DataLossError(absl::StrCat(
        "rows of ", header.hidden, " (wire type ", static_cast<uint32_t>(header.wire_type), "), this stage takes ",
        stage().spec().hidden, " (wire type ", static_cast<uint32_t>(options_.wire_type), ")"));
  }
  const std::span<const uint8_t> encoded = frame.view().plan;
  return RunStep(plan, {reinterpret_cast<const char*>(encoded.data()), encoded.size()}, frame.Hidden(received_));
}

void StageExecutor::HandleLinkLost(const LinkLost& lost) {
  // The stage before says that it goes; the stage after says it of a frame that still comes, as the last tokens may.
  const bool unloaded = lost.outgoing ? absl::IsNotFound(lost.reason) : upstream_bye_;
  const bool in_good_order = unloaded && sequences_ == 0;
  const std::string what = unloaded ? "unloaded its stage" : "was lost";
  Fail(absl::UnavailableError(absl::StrCat("node ", lost.peer.node_id, " ", what, ": ", lost.reason.message())),
       lost.peer.node_id, /*report=*/!in_good_order);
}

void StageExecutor::HandleOpen(v1::OpenSequence open) {
  const uint64_t sequence = open.sequence();
  const uint32_t vocab = stage().spec().vocab;
  absl::Status taken;
  {
    absl::MutexLock lock(&mutex_);
    if (failure_) taken = *failure_;
  }
  if (taken.ok()) taken = engine::CheckSamplingParams(FromProto(open.sampling()), vocab);
  if (taken.ok() && !v1::Pooling_IsValid(open.pooling())) {
    taken = absl::InvalidArgumentError(absl::StrCat("pooling ", static_cast<int>(open.pooling()), " is unknown"));
  }
  if (taken.ok() && open.has_labels()) taken = CheckLabelQuestion(open, vocab);
  if (taken.ok()) taken = CheckPrompt(open, vocab, stage().spec().hidden);
  const bool constrained = open.constrained();
  if (taken.ok()) taken = book_->Open(std::move(open));
  if (!taken.ok()) {
    // Its constraint lies on the last stage's shelf. (A sequence that runs keeps its place.)
    if (constrained && !absl::IsAlreadyExists(taken)) book_->Close(sequence);
    Refuse(sequence, std::string(taken.message()));
  }
  UpdateStatus();
}

bool StageExecutor::LeadStep() {
  if (!book_) return false;
  {
    absl::MutexLock lock(&mutex_);
    if (failure_ || (options_.stage_count > 1 && next_ == nullptr)) return false;
  }
  const std::optional<StepPlan> plan = book_->FormStep();
  if (!plan) return false;
  computing_ = true;
  const absl::Status done = RunStep(*plan, options_.stage_count > 1 ? EncodePlan(*plan) : "", {});
  computing_ = false;
  if (!done.ok()) Fail(done, "", /*report=*/true);
  return true;
}

absl::Status StageExecutor::RunStep(const StepPlan& plan, std::string_view encoded_plan,
                                    std::span<const float> hidden) {
  const absl::Duration start = clock_.Monotonic();
  ENIGMA_ASSIGN_OR_RETURN(StepRunner::Result result, runner_.Run(plan, hidden));
  const absl::Duration end = clock_.Monotonic();
  metrics_.steps.Increment();
  metrics_.step_seconds.Observe(absl::ToDoubleSeconds(end - start));
  metrics_.compute_seconds.Increment(absl::ToDoubleSeconds(end - start));
  metrics_.rows.Observe(plan.rows());
  steps_.fetch_add(1);
  last_step_ns_ = absl::ToInt64Nanoseconds(end);
  if (is_first() && !is_last()) sent_at_[plan.step % sent_at_.size()] = end;
  ENIGMA_RETURN_IF_ERROR(is_last() ? Deliver(plan, std::move(result)) : SendOn(plan, encoded_plan, result));
  UpdateStatus();
  return absl::OkStatus();
}

absl::Status StageExecutor::SendOn(const StepPlan& plan, std::string_view encoded_plan,
                                   const StepRunner::Result& result) {
  const FrameHeader header =
      StepHeader(plan, options_.replica, encoded_plan.size(), stage().spec().hidden, options_.wire_type);
  return Send(MakeStepBuffer(header, encoded_plan, result.hidden));
}

absl::Status StageExecutor::Deliver(const StepPlan& plan, StepRunner::Result result) {
  if (is_first()) {
    ENIGMA_RETURN_IF_ERROR(book_->Finish(plan.step, result.sampled));
  } else {
    ENIGMA_RETURN_IF_ERROR(Send(MakeBuffer(EncodeTokensFrame(options_.replica, plan.step, result.sampled))));
  }
  if (result.events.events_size() > 0 && !outbox_->Push(std::move(result.events))) {
    return absl::ResourceExhaustedError("the coordinator has not fetched tokens for so long that no more can be kept");
  }
  return absl::OkStatus();
}

absl::Status StageExecutor::Send(grpc::ByteBuffer frame) {
  StageLink* next = nullptr;
  {
    absl::MutexLock lock(&mutex_);
    next = next_.get();
  }
  if (next == nullptr) return absl::FailedPreconditionError("the stage is not connected to the next one");
  metrics_.link_frames.Increment();
  metrics_.link_bytes.Increment(static_cast<double>(frame.Length()));
  const absl::Duration waited = next->waited();
  metrics_.link_send_seconds.Increment(absl::ToDoubleSeconds(waited - std::exchange(link_waited_, waited)));
  const absl::Status sent = next->Send(std::move(frame));
  // A broken link also arrives as news that name the node; a step that fails meanwhile adds nothing to them.
  if (absl::IsUnavailable(sent) || absl::IsNotFound(sent)) return absl::OkStatus();
  return sent;
}

void StageExecutor::Refuse(uint64_t sequence, const std::string& error) {
  absl::MutexLock lock(&mutex_);
  if (replies_ == nullptr) return;
  v1::SubmitReply reply;
  reply.set_sequence(sequence);
  reply.set_error(error);
  if (!replies_->TryPush(std::move(reply))) {
    LogWarn("replica {}: the coordinator does not read its replies; one about sequence {} was dropped",
            options_.replica, sequence);
  }
}

void StageExecutor::Fail(const absl::Status& reason, const std::string& peer_node, bool report) {
  const std::string text = Describe(reason);
  {
    absl::MutexLock lock(&mutex_);
    if (failure_) return;
    failure_ = absl::Status(reason.code(), text);
  }
  // The coordinator first: what follows makes the neighbours report, too, and the cause should be heard before them.
  if (report) {
    LogError("{}", text);
    v1::ReplicaFailure failure;
    failure.set_replica(options_.replica);
    failure.set_reason(text);
    failure.set_peer_node(peer_node);
    if (options_.on_failure) options_.on_failure(failure);
    // The neighbour must not wait for frames that never come. (In good order it is about to be unloaded, too.)
    absl::MutexLock lock(&mutex_);
    if (next_ != nullptr) next_->Abort();
  }
  if (book_) {
    for (const uint64_t sequence : book_->CancelAll()) Refuse(sequence, text);
  }
  UpdateStatus();
}

void StageExecutor::UpdateStatus() {
  sequences_ = static_cast<uint32_t>(book_ ? book_->sequences() : runner_.sequences());
  if (!book_) return;
  free_blocks_ = book_->free_blocks();
  metrics_.preemptions.Increment(
      static_cast<double>(book_->preemptions() - preemptions_.exchange(book_->preemptions())));
  metrics_.kv_usage.Set(1.0 - static_cast<double>(book_->free_blocks()) / options_.kv_blocks);
}

std::string StageExecutor::Describe(const absl::Status& reason) const {
  return absl::StrCat("model ", options_.model, ", stage ", options_.stage_index, " (layers ", options_.first_layer,
                      " to ", options_.last_layer - 1, ") on node ", options_.node_id, ": ",
                      ToString(reason.message()));
}

}  // namespace enigma::worker
