#include "worker/training/rank_runner.h"

#include <cstdlib>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "telemetry/log.h"

namespace enigma::worker {
namespace {

// How often a rank that waits looks for what nobody tells it.
constexpr absl::Duration kLookEvery = absl::Milliseconds(100);
constexpr uint32_t kOrphanSecondsDefault = 600;
constexpr absl::Duration kStateTimeout = absl::Seconds(1);  // for a step that is nearly done

}  // namespace

RankRunner::RankRunner(Options options, const RankTools& tools, const Clock& clock)
    : options_(std::move(options)), tools_(tools), clock_(clock), reporter_(clock), order_(options_.order) {
  v1::RankStanding standing;
  standing.set_memory_bytes(options_.memory_bytes);
  reporter_.Stand(std::move(standing));
  checkpointer_ = std::make_unique<Checkpointer>(
      Checkpointer::Options{
          .store =
              [this](const engine::TrainingState& state, const CheckpointOccasion& occasion, const StopSignal& stop) {
                StoredFile file{.job = job(), .kind = "checkpoint", .step = state.step, .epoch = occasion.epoch};
                if (occasion.validations.best_step > 0) {
                  file.validations = occasion.validations.ToProto();
                }
                return tools_.store_state(coordinator(), file, options_.config, rank_, state, stop);
              },
          .report =
              [this](const v1::CheckpointStored& stored) {
                v1::RankEvent event;
                *event.mutable_checkpoint() = stored;
                reporter_.Report(std::move(event));
              }},
      clock);
  thread_ = std::thread([this] { Main(); });
}

RankRunner::~RankRunner() {
  End(absl::CancelledError("the rank goes"));
  thread_.join();
}

void RankRunner::Main() {
  if (const absl::Status prepared = Prepare(); !prepared.ok() && !orders_.ending().stopped()) Fail(prepared);
  while (!orders_.ending().stopped()) {
    const RankOrders::Next next = orders_.Await(kLookEvery);
    if (next.epoch) RunEpoch(*next.epoch);
    if (next.export_model) Export(next.state);
    StoreLastCheckpoint();
  }
  LogInfo("job {}: the rank ends: {}", job(), ToString(orders_.ending().reason().message()));
  DropState();
  pool_.reset();
  Move(RankPhase::kEnded);
  reporter_.Close();
  over_.Notify();
}

absl::Status RankRunner::Prepare() {
  const StopSignal::Action cancel(orders_.ending(), [this] { progress_.cancelled = true; });
  pool_ = std::make_unique<engine::ThreadPool>(options_.threads);
  const absl::Duration start = clock_.Monotonic();
  ENIGMA_ASSIGN_OR_RETURN(rank_, tools_.prepare(options_.order, options_.config, *pool_, progress_, orders_.ending()));
  LogInfo("job {}: prepared for {} in {:.2f} s, {} bytes fetched, at step {}", job(), options_.order.name(),
          absl::ToDoubleSeconds(clock_.Monotonic() - start), progress_.bytes_fetched.load(),
          rank_.trainer->state().step);
  gate_.Open(rank_.trainer->state());
  Move(RankPhase::kReady);
  return absl::OkStatus();
}

void RankRunner::RunEpoch(const RankOrders::Epoch& epoch) {
  if (!TakesEpochs(phase_)) {
    orders_.Over();
    return;
  }
  epoch_ = epoch.begin.epoch();
  const bool leads = epoch.begin.rank() == 0;
  if (leads && !led_) checkpointer_->Lead(epoch.begin.step());
  led_ = leads;
  Move(RankPhase::kRunning);
  LogInfo("job {}: epoch {} begins at step {} with {} ranks; this is rank {}", job(), epoch_, epoch.begin.step(),
          epoch.begin.ranks_size(), epoch.begin.rank());
  const RankParts parts{.job = job(),
                        .node_id = options_.node_id,
                        .config = options_.config,
                        .tools = tools_,
                        .rank = rank_,
                        .gate = gate_,
                        .reporter = reporter_,
                        .orders = orders_,
                        .checkpointer = *checkpointer_,
                        .clock = clock_};
  EpochRun::End end;
  {
    EpochRun run(parts, epoch);
    end = run.Run();
  }
  orders_.Over();
  validations_ = end.validations;
  if (end.phase == RankPhase::kFailed) {
    Fail(end.reason);
    return;
  }
  LogInfo("job {}: {} at step {} of epoch {}{}{}", job(), NameOf(end.phase), rank_.trainer->state().step, epoch_,
          end.reason.ok() ? "" : ": ", ToString(end.reason.message()));
  Move(end);
}

void RankRunner::StoreLastCheckpoint() {
  if (checkpointer_ != nullptr) checkpointer_->RetryBest();
  if (phase_ != RankPhase::kFinished || !led_) return;
  const engine::TrainingState& state = rank_.trainer->state();
  if (!checkpointer_->Missing(state.step)) return;
  checkpointer_->Start(state, {.epoch = epoch_, .validations = validations_, .best = false});
}

absl::Status RankRunner::TakeState(const v1::JobFile& file) {
  if (file.name().empty()) return absl::OkStatus();
  if (!checkpointer_->AwaitIdle(orders_.ending())) return orders_.ending().reason();
  ENIGMA_ASSIGN_OR_RETURN(
      engine::TrainingState state,
      tools_.load_checkpoint([this] { return coordinator(); }, job(), file, options_.config, rank_, orders_.ending()));
  gate_.Close();
  const absl::Status set = rank_.trainer->SetState(std::move(state));
  gate_.Open(rank_.trainer->state());
  v1::RankStanding standing = reporter_.standing();
  standing.set_step(rank_.trainer->state().step);
  reporter_.Stand(std::move(standing));
  return set;
}

void RankRunner::Export(const v1::JobFile& state) {
  v1::RankEvent event;
  v1::ExportDone& done = *event.mutable_exported();
  if (rank_.trainer == nullptr) {
    done.set_error("this rank has no state to export");
  } else if (const absl::Status taken = TakeState(state); !taken.ok()) {
    done.set_error(absl::StrCat("the best state by validation cannot be had: ", ToString(taken.message())));
  } else {
    done.set_step(rank_.trainer->state().step);
    const absl::StatusOr<ModelExport> made = tools_.export_model(
        options_.order, [this] { return coordinator(); }, options_.config, rank_, *pool_, orders_.ending());
    if (made.ok()) {
      done.set_largest_difference(made->largest_difference);
      done.set_remark(made->remark);
    } else {
      done.set_error(ToString(made.status().message()));
    }
  }
  if (!done.error().empty()) orders_.ExportFailed();
  reporter_.ReportLasting(std::move(event));
}

void RankRunner::Fail(const absl::Status& reason) {
  LogWarn("job {}: the rank cannot go on: {}", job(), Describe(reason));
  DropState();
  Move(RankPhase::kFailed);
  v1::RankEvent event;
  event.mutable_failed()->set_code(static_cast<uint32_t>(reason.code()));
  event.mutable_failed()->set_error(ToString(reason.message()));
  reporter_.ReportLasting(std::move(event));
}

void RankRunner::DropState() {
  gate_.End();
  checkpointer_.reset();  // it may still be storing, and knows the rank
  rank_.trainer.reset();
}

void RankRunner::Move(const EpochRun::End& end) {
  const RankPhase from = phase_;
  const RankPhase to = end.phase;
  if (!IsLegalMove(from, to)) {
    LogError("job {}: a rank that is {} cannot become {}: a bug", job(), NameOf(from), NameOf(to));
    std::abort();
  }
  if (to == RankPhase::kFailed || to == RankPhase::kEnded) {
    phase_ = to;
    return;  // the standing keeps the phase before
  }
  v1::RankStanding standing;
  standing.set_phase(ToProto(to));
  standing.set_epoch(epoch_);
  standing.set_step(rank_.trainer->state().step);
  if (to == RankPhase::kHalted) {
    const std::vector<uint32_t> held = rank_.trainer->held();
    standing.mutable_held()->Assign(held.begin(), held.end());
  }
  if (!end.reason.ok()) standing.set_reason(ToString(end.reason.message()));
  if (end.validations.best_step > 0) *standing.mutable_validations() = end.validations.ToProto();
  standing.set_lost_node(end.lost_node);
  standing.mutable_unheard_nodes()->Assign(end.unheard_nodes.begin(), end.unheard_nodes.end());
  standing.set_memory_bytes(options_.memory_bytes);
  standing.set_flops_per_second(rank_.flops_per_second);
  phase_ = to;
  reporter_.Stand(std::move(standing));
}

void RankRunner::Renew(const v1::PrepareRank& order) {
  absl::MutexLock lock(&mutex_);
  order_ = order;
}

absl::Status RankRunner::Obey(const v1::RankOrder& order) {
  switch (order.order_case()) {
    case v1::RankOrder::kBegin: {
      const uint64_t epoch = order.begin().epoch();
      const bool taken =
          TakesEpochs(phase_) && orders_.Begin(order.begin(), [this, epoch] { reporter_.Accept(epoch); });
      if (!taken) LogWarn("job {}: epoch {} does not begin on a rank that is {}", job(), epoch, NameOf(phase_));
      return absl::OkStatus();
    }
    case v1::RankOrder::kHalt:
      if (!orders_.Halt(order.halt())) reporter_.Repeat();
      return absl::OkStatus();
    case v1::RankOrder::kControl:
      orders_.Control(ControlWordOf(order.control()));
      return absl::OkStatus();
    case v1::RankOrder::kFinish:
      if (order.finish().export_model()) {
        orders_.Export(order.finish().state());
      } else {
        finished_ = true;
        End(absl::CancelledError(order.finish().reason().empty() ? "the job is done" : order.finish().reason()));
      }
      return absl::OkStatus();
    default:
      return absl::InvalidArgumentError("a Run stream prepares once, then begins, halts, controls and finishes");
  }
}

std::optional<v1::PreparationProgress> RankRunner::Progress() const {
  if (phase_ != RankPhase::kPreparing) return std::nullopt;
  v1::PreparationProgress progress;
  progress.set_bytes(progress_.bytes_present + progress_.bytes_fetched);
  progress.set_bytes_total(progress_.bytes_needed);
  return progress;
}

absl::Status RankRunner::SendState(uint64_t step, std::function<void()> go,
                                   const std::function<void(uint64_t bytes)>& total, const engine::ByteSink& sink) {
  ENIGMA_ASSIGN_OR_RETURN(const StateGate::Lease lease, gate_.Enter(step, kStateTimeout, std::move(go)));
  return tools_.write_state(options_.config, rank_, lease.state(), total, sink);
}

void RankRunner::End(const absl::Status& reason) { orders_.End(reason); }

bool RankRunner::Orphaned() const {
  uint32_t seconds = 0;
  {
    absl::MutexLock lock(&mutex_);
    seconds = order_.orphan_seconds();
  }
  return reporter_.Unread() >= absl::Seconds(seconds == 0 ? kOrphanSecondsDefault : seconds);
}

v1::NodeAddress RankRunner::coordinator() const {
  absl::MutexLock lock(&mutex_);
  return order_.coordinator();
}

}  // namespace enigma::worker
