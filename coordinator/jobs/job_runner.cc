#include "coordinator/jobs/job_runner.h"

#include <algorithm>
#include <set>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "coordinator/jobs/base_model.h"
#include "coordinator/jobs/describe_job.h"
#include "coordinator/jobs/job_end.h"
#include "coordinator/jobs/job_planner.h"
#include "engine/spec/training_memory.h"
#include "telemetry/log.h"

namespace enigma::coordinator {
namespace {

using Kind = EpochDecision::Kind;

// Peers that a rank asks for pieces of the base model before it asks the coordinator.
constexpr size_t kPeerSourcesMax = 8;

// The job itself is at fault, so that no other worker would do better.
bool IsFatal(uint32_t code) {
  switch (static_cast<absl::StatusCode>(code)) {
    case absl::StatusCode::kInvalidArgument:
    case absl::StatusCode::kFailedPrecondition:
    case absl::StatusCode::kUnimplemented:
    case absl::StatusCode::kOutOfRange:
    case absl::StatusCode::kInternal:
      return true;
    default:
      return false;
  }
}

void FillFile(const JobFileInfo& info, enigma::v1::JobFile& file) {
  file.set_name(info.name);
  file.set_bytes(info.bytes);
  file.set_sha256(info.sha256);
}

// Of the job, counted in slots.
uint64_t GainedBy(const EpochPlan& plan, const EpochView& view) {
  uint64_t held = 0;
  for (const RankView& rank : view.ranks) {
    if (rank.standing.step() == plan.step) held += static_cast<uint64_t>(rank.standing.held_size());
  }
  return plan.step * view.slots + std::min<uint64_t>(held, view.slots - 1);
}

}  // namespace

JobRunner::JobRunner(ControlPlane& plane, JobRegistry& jobs, JobFolders& folders, NodeClaims& claims, uint64_t id,
                     absl::Duration grace_until, const Options& options)
    : plane_(plane),
      jobs_(jobs),
      folders_(folders),
      claims_(claims),
      id_(id),
      grace_until_(grace_until),
      options_(options),
      ranks_(plane, [this](const std::string& node_id) { return PreparationFor(node_id); }),
      best_(folders, plane.clock, id, options.best_patience),
      left_out_(options.left_out),
      thread_([this] { Run(); }) {}

JobRunner::~JobRunner() {
  stopping_.Notify();
  ranks_.Wake();
  thread_.join();
}

void JobRunner::Run() {
  if (const absl::Status prepared = Prepare(); !prepared.ok()) {
    End(JobState::kFailed, ToString(prepared.message()));
    return;
  }
  while (!stopping_.HasBeenNotified() && !ended_) {
    Tick();
    if (!ended_) ranks_.Await(options_.period);
  }
}

absl::Status JobRunner::Prepare() {
  ENIGMA_ASSIGN_OR_RETURN(const Job job, jobs_.Find(id_));
  ENIGMA_ASSIGN_OR_RETURN(config_, engine::TrainingConfigFromJson(job.config_json));
  memory_bytes_ = engine::TrainingMemoryBytes(config_);
  preparation_.set_job(id_);
  preparation_.set_name(job.model);
  preparation_.set_config_json(job.config_json);
  FillFile(job.token_set, *preparation_.mutable_token_set());
  FillFile(job.tokenizer, *preparation_.mutable_tokenizer());
  if (!job.picture_set.name.empty()) FillFile(job.picture_set, *preparation_.mutable_picture_set());
  ENIGMA_ASSIGN_OR_RETURN(const ModelPtr base, BaseOfJob(plane_.models, job));
  if (base != nullptr) preparation_.set_base_manifest_json(base->manifest_json);
  *preparation_.mutable_coordinator() = plane_.self;
  preparation_.set_orphan_seconds(static_cast<uint32_t>(absl::ToInt64Seconds(options_.orphan_time)));
  ENIGMA_ASSIGN_OR_RETURN(const JobFolders::Checkpoint newest, folders_.NewestCheckpoint(id_));
  epoch_ = job.epoch;
  members_ = job.members;
  course_.emplace(plane_, jobs_, job);
  if (newest.step != job.checkpoint_step) {
    ENIGMA_RETURN_IF_ERROR(jobs_.Update(id_, [&](Job& its) { its.checkpoint_step = newest.step; }));
  }
  if (job.state == JobState::kQueued) MoveTo(JobState::kPreparing, "workers are being asked");
  LogInfo("job {} ({}): {} from step {} of {}", id_, job.model, members_.empty() ? "begins" : "is taken over",
          std::max(job.progress.step, newest.step), job.steps);
  return absl::OkStatus();
}

enigma::v1::NodeAddress JobRunner::AddressOf(const std::string& node_id) const {
  enigma::v1::NodeAddress address;
  address.set_node_id(node_id);
  if (const std::optional<Node> node = plane_.nodes.Find(node_id)) {
    address.mutable_endpoints()->Assign(node->endpoints.begin(), node->endpoints.end());
  }
  return address;
}

// On the stream's thread.
enigma::v1::PrepareRank JobRunner::PreparationFor(const std::string& node_id) {
  enigma::v1::PrepareRank preparation = preparation_;
  if (!config_.base_model.empty()) {
    for (const Node& peer : plane_.nodes.List()) {
      if (peer.state != NodeState::kReady || peer.id == node_id) continue;
      if (static_cast<size_t>(preparation.sources_size()) >= kPeerSourcesMax) break;
      *preparation.add_sources() = AddressOf(peer.id);
    }
    *preparation.add_sources() = plane_.self;
  }
  const absl::StatusOr<JobFolders::Checkpoint> newest = folders_.NewestCheckpoint(id_);
  if (!newest.ok()) {
    LogWarn("job {}: node {} begins without a checkpoint: {}", id_, node_id, Describe(newest.status()));
  } else if (newest->step > 0 && !ranks_.HasState(newest->step)) {
    FillFile(newest->file, *preparation.mutable_state());
  }
  return preparation;
}

void JobRunner::Tick() {
  const absl::StatusOr<Job> job = jobs_.Find(id_);
  if (!job.ok()) return End(JobState::kFailed, "it is not in the store any more");
  std::vector<RankSet::Event> events;
  std::vector<RankView> views = ranks_.Look(&events);
  TakeEvents(events);
  if (ended_) return;
  TakeValidations(views, job->validation.step);
  ChooseRanks(views);
  const EpochView view = MakeView(std::move(views));
  Act(view, DecideEpoch(view, options_.times));
  if (!ended_) course_->SaveNowAndThen();
}

void JobRunner::TakeEvents(const std::vector<RankSet::Event>& events) {
  for (const RankSet::Event& event : events) {
    switch (event.event.event_case()) {
      case enigma::v1::RankEvent::kStep:
        course_->Note(event.event.step());
        break;
      case enigma::v1::RankEvent::kValidation:
        course_->Note(event.event.validation());
        break;
      case enigma::v1::RankEvent::kCheckpoint:
        course_->Note(event.event.checkpoint());
        break;
      case enigma::v1::RankEvent::kFailed:
        RankFailed(event.node, event.event.failed(), event.refused);
        break;
      case enigma::v1::RankEvent::kExported:
        Exported(event.event.exported());
        break;
      default:
        break;
    }
    if (ended_) return;
  }
}

void JobRunner::RankFailed(const std::string& node, const enigma::v1::RankFailed& failed, bool refused) {
  const std::optional<Node> known = plane_.nodes.Find(node);
  const std::string reason =
      absl::StrCat("node ", known ? known->Label() : node, refused ? " takes no part: " : " failed: ", failed.error());
  // What the coordinator has checked a worker may still not know, where it is an older one.
  if (!refused && IsFatal(failed.code())) return End(JobState::kFailed, reason);
  LogWarn("job {}: {}; the others go on without it", id_, reason);
  left_out_.Trouble(node, reason, plane_.clock.Monotonic());
  ranks_.Close(node);  // opened again, it is a new rank
}

void JobRunner::Exported(const enigma::v1::ExportDone& exported) {
  const absl::StatusOr<Job> job = jobs_.Find(id_);
  if (!job.ok() || job->state != JobState::kExporting) return;
  jobs_.Note(id_, [&](Job& its, JobHistory&) { its.model_step = exported.step(); });
  const JobEnd end = EndOfExport(plane_, folders_, *job, config_, exported);
  End(end.state, end.reason);
}

void JobRunner::ChooseRanks(const std::vector<RankView>& views) {
  const absl::Duration now = plane_.clock.Monotonic();
  const absl::StatusOr<Job> job = jobs_.Find(id_);
  const RankChoice choice = coordinator::ChooseRanks(plane_.nodes.List(), NeedsNow(job));
  why_not_ = choice.Why();
  // A job that exports, or is to end, needs nobody but its members.
  const bool takes = members_.empty() || (job.ok() && job->state != JobState::kExporting && !job->cancel_requested);
  std::set<std::string> wanted;
  for (const std::string& node : choice.nodes) {
    const bool member = std::find(members_.begin(), members_.end(), node) != members_.end();
    if ((takes || member) && now >= left_out_.Until(node)) wanted.insert(node);
  }
  if (job.ok()) claims_.Want(id_, {!members_.empty(), job->priority, job->submitted_unix_ms}, wanted, now);
  for (const std::string& node : wanted) {
    if (claims_.Take(id_, node, now)) ranks_.Open(node);
  }
  // Who takes part leaves by an epoch without it; others go at once.
  for (const RankView& rank : views) {
    const bool chosen = std::find(choice.nodes.begin(), choice.nodes.end(), rank.node) != choice.nodes.end();
    const bool member = std::find(members_.begin(), members_.end(), rank.node) != members_.end();
    if (!chosen && !member && ranks_.IsOpen(rank.node)) LetGo(rank.node, "the job goes on without it");
  }
  std::set<std::string> kept = ranks_.NodesWithStreams();
  kept.insert(members_.begin(), members_.end());
  claims_.Keep(id_, kept);
}

RankNeeds JobRunner::NeedsNow(const absl::StatusOr<Job>& job) const {
  const absl::Duration now = plane_.clock.Monotonic();
  RankNeeds needs;
  needs.memory_bytes = memory_bytes_;
  needs.ranks_max = job.ok() && job->workers_max > 0 ? std::min(job->workers_max, config_.slots) : config_.slots;
  needs.trusted_network = job.ok() && job->gloo;
  for (const std::string& node : ranks_.Nodes()) needs.members.insert(node);
  needs.members.insert(members_.begin(), members_.end());
  needs.taken = claims_.OfOthers(id_);
  for (const Node& node : plane_.nodes.List()) {
    if (now < left_out_.Until(node.id)) needs.left_out.insert(node.id);
  }
  // After a restart of the coordinator the members are on their way back; nobody takes their places meanwhile.
  if (now < grace_until_) {
    needs.awaited = static_cast<uint32_t>(std::count_if(members_.begin(), members_.end(), [&](const std::string& id) {
      const std::optional<Node> node = plane_.nodes.Find(id);
      return node && node->state == NodeState::kAbsent;
    }));
  }
  return needs;
}

void JobRunner::LetGo(const std::string& node, const std::string& reason) {
  ranks_.LetGo(node, FinishOrder(false, reason), options_.farewell);
}

// Members and chosen nodes whose streams were not open when the others were looked at.
void JobRunner::AddUnopened(std::vector<RankView>& views) const {
  std::vector<std::string> wanted = ranks_.Nodes();
  wanted.insert(wanted.end(), members_.begin(), members_.end());
  for (const std::string& id : wanted) {
    const bool there = std::any_of(views.begin(), views.end(), [&](const RankView& rank) { return rank.node == id; });
    if (there) continue;
    const std::optional<Node> node = plane_.nodes.Find(id);
    RankView view;
    view.node = id;
    view.alive = node && node->state == NodeState::kReady;
    view.absent = node && node->state == NodeState::kAbsent;
    view.changed_at = plane_.clock.Monotonic();
    views.push_back(std::move(view));
  }
}

EpochView JobRunner::MakeView(std::vector<RankView> views) const {
  const absl::StatusOr<Job> job = jobs_.Find(id_);
  EpochView view;
  view.now = plane_.clock.Monotonic();
  view.epoch = epoch_;
  view.members = members_;
  view.begun_at = begun_at_;
  view.halting_since = halting_since_;
  view.fruitless = fruitless_;
  view.slots = config_.slots;
  view.grace_until = grace_until_;
  view.doubts = doubts_.pairs();
  if (job.ok()) {
    view.stop = job->cancel_requested;
    view.ranks_max = job->workers_max;
    view.checkpoint_step = job->checkpoint_step;
  }
  AddUnopened(views);
  std::vector<double> measured;
  std::vector<double> flops;
  for (RankView& rank : views) {
    rank.left_out_until = left_out_.Until(rank.node);
    const std::optional<Node> node = plane_.nodes.Find(rank.node);
    const double own = rank.standing.flops_per_second();
    measured.push_back(course_->SpeedOf(rank.node));
    flops.push_back(own > 0 ? own : node ? node->hello.capability().flops_per_second() : 0);
  }
  const std::vector<double> speeds = SpeedsOf(measured, flops);
  for (size_t i = 0; i < views.size(); ++i) views[i].speed = speeds[i];
  view.ranks = std::move(views);
  return view;
}

void JobRunner::Act(const EpochView& view, const EpochDecision& decision) {
  for (const RankView& rank : view.ranks) course_->SetFlops(rank.node, rank.standing.flops_per_second());
  Halt(view, decision);
  for (const std::string& node : decision.dismissed) LetGo(node, "its state or its place is not needed any more");
  switch (decision.kind) {
    case Kind::kGoOn:
      for (const std::string& node : members_) left_out_.Serves(node, view.now - begun_at_);
      doubts_.Serve(members_, view.now - begun_at_);
      if (!members_.empty()) MoveTo(JobState::kRunning, "");
      break;
    case Kind::kSettle:
    case Kind::kHalt:
      break;
    case Kind::kPrepare:
    case Kind::kWait:
      NobodyLeft(decision);
      break;
    case Kind::kPause:
    case Kind::kStop:
      Control(decision.kind == Kind::kStop, decision.reason);
      break;
    case Kind::kBegin:
      Begin(view, decision);
      break;
    case Kind::kFinish:
      if (view.stop) return End(JobState::kCancelled, "as asked");
      Finish(view, decision);
      break;
    case Kind::kStopped:
      End(JobState::kCancelled, "as asked");
      break;
  }
}

void JobRunner::Halt(const EpochView& view, const EpochDecision& decision) {
  for (const std::string& node : decision.halt) {
    const bool member = std::find(members_.begin(), members_.end(), node) != members_.end();
    const auto rank =
        std::find_if(view.ranks.begin(), view.ranks.end(), [&](const RankView& its) { return its.node == node; });
    const uint64_t epoch = member || rank == view.ranks.end() ? epoch_ : rank->standing.epoch();
    enigma::v1::RankOrder order;
    order.mutable_halt()->set_epoch(epoch);
    order.mutable_halt()->set_reason(member ? decision.reason : "its epoch is over");
    ranks_.SendOnce(node, absl::StrCat("halt ", epoch), order);
  }
  if (decision.kind != Kind::kHalt || halting_since_) return;
  halting_since_ = view.now;
  LogWarn("job {}: epoch {} is over: {}", id_, epoch_, decision.reason);
}

void JobRunner::Control(bool stop, const std::string& reason) {
  enigma::v1::RankOrder order;
  order.mutable_control()->set_pause(true);
  order.mutable_control()->set_checkpoint(stop);
  order.mutable_control()->set_stop(stop);
  ranks_.SendOnce(members_.front(), absl::StrCat(stop ? "stop " : "pause ", epoch_), order);
  MoveTo(JobState::kPaused, reason);
}

void JobRunner::Begin(const EpochView& view, const EpochDecision& decision) {
  const uint64_t gained = GainedBy(decision.plan, view);
  fruitless_ = epoch_ > 0 && gained <= gained_ ? fruitless_ + 1 : 0;
  gained_ = gained;
  for (const RankView& rank : view.ranks) epoch_ = std::max(epoch_, rank.standing.epoch());
  ++epoch_;
  for (const Rift& rift : decision.rifts) {
    left_out_.Trouble(rift.node, absl::StrCat("nodes ", rift.node, " and ", rift.peer, " cannot reach each other"),
                      view.now);
    plane_.links.Suspect(rift.node, rift.peer);
    LogWarn("job {}: nodes {} and {} cannot reach each other; {} is left out for a while", id_, rift.node, rift.peer,
            rift.node);
  }
  for (const Rift& doubt : decision.doubts) {
    LogInfo("job {}: nodes {} and {} lost each other; both go on once more", id_, doubt.node, doubt.peer);
  }
  doubts_.Add(decision.rifts);
  doubts_.Add(decision.doubts);
  // Stored first: a coordinator that dies here must not use this number for another epoch.
  const absl::Status stored = jobs_.Update(id_, [&](Job& job) {
    job.epoch = epoch_;
    job.members = decision.plan.members;
  });
  if (!stored.ok()) {
    LogError("job {}: an epoch cannot begin: {}", id_, Describe(stored));
    return;
  }
  members_ = decision.plan.members;
  halting_since_.reset();
  begun_at_ = plane_.clock.Monotonic();
  course_->EpochBegins(members_, decision.lost.size());
  LogInfo("job {}: epoch {} begins at step {} on {}", id_, epoch_, decision.plan.step, absl::StrJoin(members_, ", "));
  const absl::StatusOr<Job> job = jobs_.Find(id_);
  if (job.ok()) SendBegin(decision.plan, *job);
  MoveTo(JobState::kRunning, "");
}

void JobRunner::SendBegin(const EpochPlan& plan, const Job& job) {
  enigma::v1::BeginEpoch begin;
  begin.set_epoch(epoch_);
  begin.set_step(plan.step);
  begin.set_collective(job.gloo ? enigma::v1::COLLECTIVE_GLOO : enigma::v1::COLLECTIVE_STREAMS);
  for (const std::string& node : plan.members) *begin.add_ranks() = AddressOf(node);
  begin.mutable_owners()->Assign(plan.owners.begin(), plan.owners.end());
  begin.mutable_speeds()->Assign(plan.speeds.begin(), plan.speeds.end());
  begin.set_validated_step(job.validation.step);
  begin.set_best_validation_loss(job.validation.best_loss);
  begin.set_best_validation_step(job.validation.best_step);
  begin.set_validations_since_best(job.validation.since_best);
  for (size_t rank = 0; rank < plan.members.size(); ++rank) {
    enigma::v1::RankOrder order;
    *order.mutable_begin() = begin;
    order.mutable_begin()->set_rank(static_cast<uint32_t>(rank));
    const auto source = plan.sources.find(plan.members[rank]);
    if (source != plan.sources.end()) *order.mutable_begin()->mutable_state_source() = AddressOf(source->second);
    ranks_.SendOnce(plan.members[rank], absl::StrCat("begin ", epoch_), order);
  }
}

void JobRunner::Finish(const EpochView& view, const EpochDecision& decision) {
  const auto exporter = std::find_if(view.ranks.begin(), view.ranks.end(),
                                     [&](const RankView& rank) { return rank.node == decision.exporter; });
  if (exporter == view.ranks.end()) return;
  MoveTo(JobState::kExporting, decision.reason);
  const absl::StatusOr<Job> job = jobs_.Find(id_);
  if (!job.ok()) return;
  enigma::v1::RankOrder order = FinishOrder(true, "all steps are done");
  const uint64_t best = job->validation.best_step;
  if (best != 0 && best != exporter->standing.step()) {
    const BestState::Place place = best_.Find(best);
    if (place == BestState::Place::kLost) return GoBackTo(best);
    if (place == BestState::Place::kOnItsWay) return;
    FillFile(best_.file(), *order.mutable_finish()->mutable_state());
  }
  ranks_.SendOnce(decision.exporter, absl::StrCat("export ", epoch_), order);
}

// A stream that is new tells where its rank stands before it tells of validations.
void JobRunner::TakeValidations(const std::vector<RankView>& views, uint64_t known_step) {
  for (const RankView& rank : views) {
    if (rank.standing.validations().step() <= known_step) continue;
    const ValidationBook told = BookOf(rank.standing.validations());
    jobs_.Note(id_, [&](Job& job, JobHistory&) { job.validation.Note(told); });
  }
}

void JobRunner::GoBackTo(uint64_t step) {
  std::string reason = absl::StrCat("the state of step ", step, ", the best by validation, was lost");
  const absl::StatusOr<uint64_t> left = best_.GoBackTo(step);
  if (!left.ok()) return End(JobState::kFailed, absl::StrCat(reason, ": ", ToString(left.status().message())));
  absl::StrAppend(&reason, "; it is computed again from step ", *left);
  LogWarn("job {}: {}", id_, reason);
  for (const std::string& node : ranks_.Nodes()) LetGo(node, reason);
  members_.clear();
  halting_since_.reset();
  const absl::Status stored = jobs_.Update(id_, [&](Job& job) {
    job.members.clear();
    job.checkpoint_step = *left;
  });
  if (!stored.ok()) LogWarn("job {}: {}", id_, Describe(stored));
  MoveTo(JobState::kWaiting, reason);
}

void JobRunner::NobodyLeft(const EpochDecision& decision) {
  if (!members_.empty()) {
    plane_.metrics.Counter(Metric::kJobRanksLost, {{"model_name", preparation_.name()}})
        .Increment(static_cast<double>(decision.lost.size()));
    members_.clear();
    halting_since_.reset();
    if (const absl::Status stored = jobs_.Update(id_, [](Job& job) { job.members.clear(); }); !stored.ok()) {
      LogWarn("job {}: {}", id_, Describe(stored));
    }
  }
  std::string reason = decision.reason;
  if (decision.kind == Kind::kPrepare) {
    const auto [fetched, total] = ranks_.Fetched();
    if (total > 0) absl::StrAppend(&reason, " (", fetched >> 20, " of ", total >> 20, " MiB)");
    if (const std::string troubles = ranks_.Troubles(); !troubles.empty()) absl::StrAppend(&reason, "; ", troubles);
    const absl::StatusOr<Job> job = jobs_.Find(id_);
    const bool may = job.ok() && (job->state == JobState::kPreparing || MayMove(job->state, JobState::kPreparing));
    return MoveTo(may ? JobState::kPreparing : JobState::kWaiting, reason);
  }
  for (const std::string& why : {why_not_, left_out_.Why(plane_.clock.Monotonic())}) {
    if (!why.empty()) absl::StrAppend(&reason, "; ", why);
  }
  MoveTo(JobState::kWaiting, reason);
}

void JobRunner::MoveTo(JobState state, const std::string& reason) {
  const absl::StatusOr<Job> job = jobs_.Find(id_);
  if (!job.ok()) return;
  if (job->state == state) {
    if (job->reason != reason && !reason.empty()) {
      jobs_.Note(id_, [&](Job& its, JobHistory&) { its.reason = reason; });
    }
    return;
  }
  const absl::Status moved = jobs_.Move(id_, state, reason);
  if (!moved.ok()) LogWarn("job {}: {}", id_, Describe(moved));
}

void JobRunner::End(JobState state, const std::string& reason) {
  const absl::Status moved = jobs_.Move(id_, state, reason);
  if (!moved.ok()) LogError("job {} cannot be ended: {}", id_, Describe(moved));
  LogInfo("job {} is {}{}{}", id_, JobStateName(state), reason.empty() ? "" : ": ", reason);
  const std::string why = absl::StrCat("the job is ", ToAbsl(JobStateName(state)));
  for (const std::string& node : ranks_.Nodes()) LetGo(node, why);
  const absl::Duration until = plane_.clock.Monotonic() + options_.farewell;
  while (ranks_.AreLeaving() && plane_.clock.Monotonic() < until && !stopping_.HasBeenNotified()) {
    ranks_.Await(options_.period);
    std::vector<RankSet::Event> ignored;
    ranks_.Look(&ignored);
  }
  claims_.End(id_);
  ended_ = true;
}

}  // namespace enigma::coordinator
