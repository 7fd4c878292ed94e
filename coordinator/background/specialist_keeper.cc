#include "coordinator/background/specialist_keeper.h"

#include <algorithm>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "coordinator/operations/load_model.h"
#include "coordinator/operations/make_room.h"
#include "telemetry/log.h"

namespace enigma::coordinator {

SpecialistKeeper::SpecialistKeeper(ControlPlane& plane, SpecialistRegistry& registry, const Options& options)
    : plane_(plane), registry_(registry), options_(options), uses_(std::make_shared<Uses>()), thread_([this] {
        Run();
      }) {}

SpecialistKeeper::~SpecialistKeeper() { Stop(); }

void SpecialistKeeper::Stop() {
  cancelled_ = true;
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  if (thread_.joinable()) thread_.join();
  std::map<std::string, Loading> loading;
  std::map<std::string, std::vector<Waiter>> waiting;
  {
    absl::MutexLock lock(&mutex_);
    waiting.swap(waiting_);
  }
  for (const auto& [model, waiters] : waiting) {
    for (const Waiter& waiter : waiters) waiter.done(absl::UnavailableError("the coordinator is stopping"));
  }
  while (true) {
    std::thread one;
    {
      absl::MutexLock lock(&mutex_);
      if (loading_.empty()) return;
      one = std::move(loading_.begin()->second.thread);
    }
    if (one.joinable()) one.join();  // it looks itself up in `loading_` before it ends
    absl::MutexLock lock(&mutex_);
    loading_.erase(loading_.begin());
  }
}

SpecialistKeeper::Standing SpecialistKeeper::StandingOf(const std::string& model) const {
  {
    absl::MutexLock lock(&uses_->mutex);
    if (uses_->going.contains(model)) return Standing::kComes;
  }
  bool comes = false;
  for (const Replica& replica : plane_.replicas.OfModel(model)) {
    if (replica.state == ReplicaState::kReady) return Standing::kServes;
    comes = comes || replica.state == ReplicaState::kLoading;
  }
  const std::vector<WantedPlacement> wanted = plane_.wanted.List();
  const bool was_there = std::any_of(wanted.begin(), wanted.end(),
                                     [&](const WantedPlacement& placement) { return placement.model == model; });
  if (was_there) return Standing::kLost;
  absl::MutexLock lock(&mutex_);
  return comes || loading_.contains(model) ? Standing::kComes : Standing::kAbsent;
}

SpecialistKeeper::Hold SpecialistKeeper::Take(const std::string& model) const {
  const std::shared_ptr<Uses> uses = uses_;
  const Clock& clock = plane_.clock;
  {
    absl::MutexLock lock(&uses->mutex);
    ++uses->holds[model];
    uses->last[model] = clock.Monotonic();
  }
  return Hold(static_cast<const void*>(uses.get()), [uses, model, &clock](const void*) {
    absl::MutexLock lock(&uses->mutex);
    uses->last[model] = clock.Monotonic();
    if (const auto held = uses->holds.find(model); --held->second == 0) uses->holds.erase(held);
  });
}

SpecialistKeeper::Hold SpecialistKeeper::Use(const std::string& model) const {
  // Names come from clients; what is kept of them is of models that there are.
  return plane_.models.Find(model).ok() ? Take(model) : nullptr;
}

bool SpecialistKeeper::Claim(const std::string& model) const {
  // An operator may have asked for it meanwhile.
  if (!OnDemand().contains(model)) return false;
  absl::MutexLock lock(&uses_->mutex);
  if (uses_->holds.contains(model)) return false;
  uses_->going.insert(model);
  return true;
}

void SpecialistKeeper::Release(const std::string& model) const {
  absl::MutexLock lock(&uses_->mutex);
  uses_->going.erase(model);
}

void SpecialistKeeper::Want(const std::string& model, Patience patience, Done done) {
  // Held before it is looked at, so that it does not go in between.
  Hold hold = Take(model);
  if (StandingOf(model) == Standing::kServes) return done(std::move(hold));
  const absl::Duration now = plane_.clock.Monotonic();
  absl::Status refused;
  {
    absl::MutexLock lock(&mutex_);
    if (const auto failure = failures_.find(model); failure != failures_.end()) {
      if (now < failure->second.until) {
        refused = failure->second.why;
      } else {
        failures_.erase(failure);
      }
    }
    Waiters& waiters = waiting_[model];
    if (waiters.size() >= options_.waiting_max) {
      refused = absl::ResourceExhaustedError(absl::StrCat("'", model, "' is not in service yet, and ", waiters.size(),
                                                          " requests wait for it; try again later"));
    }
    if (stopping_) refused = absl::UnavailableError("the coordinator is stopping");
    if (refused.ok()) {
      waiters.push_back({std::move(patience), now + options_.lost_wait, std::move(hold), std::move(done)});
    } else if (waiters.empty()) {
      waiting_.erase(model);
    }
  }
  if (!refused.ok()) done(refused);
}

void SpecialistKeeper::Run() {
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      const auto something = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_ || !waiting_.empty(); };
      mutex_.AwaitWithTimeout(absl::Condition(&something), absl::Seconds(1));
      if (stopping_) return;
    }
    WantRouter();
    LookAtWaiters();
    absl::MutexLock lock(&mutex_);
    const auto stopping = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return stopping_; };
    mutex_.AwaitWithTimeout(absl::Condition(&stopping), options_.look_every);
  }
}

void SpecialistKeeper::WantRouter() {
  const RoutingTablePtr table = registry_.table();
  if (table == nullptr || table->specialists.router.empty()) return;
  const std::string& router = table->specialists.router;
  const std::vector<Node> nodes = plane_.nodes.List();
  const bool any_ready =
      std::any_of(nodes.begin(), nodes.end(), [](const Node& node) { return node.state == NodeState::kReady; });
  const Standing standing = StandingOf(router);
  if (!any_ready || standing == Standing::kServes || standing == Standing::kComes) return;
  Warm(router);
}

void SpecialistKeeper::Warm(const std::string& model) {
  {
    absl::MutexLock lock(&mutex_);
    if (waiting_.contains(model)) return;
  }
  Want(model, {.deadline = plane_.clock.Monotonic() + absl::Minutes(1)}, [](const auto&) {});
}

std::string SpecialistKeeper::StandIn(const std::string& model) {
  const Standing standing = StandingOf(model);
  if (standing != Standing::kAbsent && standing != Standing::kComes) return "";
  for (const std::string& before : registry_.PredecessorsOf(model)) {
    if (StandingOf(before) != Standing::kServes) continue;
    Warm(model);
    return before;
  }
  return "";
}

void SpecialistKeeper::LookAtWaiters() {
  std::set<std::string> models;
  {
    absl::MutexLock lock(&mutex_);
    for (const auto& entry : waiting_) models.insert(entry.first);
    for (const auto& entry : loading_) models.insert(entry.first);
  }
  for (const std::string& model : models) LookAt(model);
}

void SpecialistKeeper::LookAt(const std::string& model) {
  Standing standing = StandingOf(model);
  if (standing == Standing::kLost && TakeOver(model)) standing = Standing::kAbsent;
  Waiters all;  // of a load that failed
  std::vector<std::pair<Waiter, absl::Status>> ended;
  absl::Status why;
  {
    absl::MutexLock lock(&mutex_);
    Waiters& waiters = waiting_[model];
    const auto loading = loading_.find(model);
    if (loading != loading_.end() && loading->second.ended) {
      loading->second.thread.join();
      why = loading->second.status;
      loading_.erase(loading);
      if (!why.ok()) failures_[model] = {why, plane_.clock.Monotonic() + options_.retry_after};
    } else if (loading == loading_.end() && standing == Standing::kAbsent && !waiters.empty()) {
      StartLoading(model);
    }
    if (!why.ok() && standing != Standing::kServes) {
      all.swap(waiters);
    } else {
      ended = TakeEnded(model, standing, waiters);
    }
    if (waiters.empty()) waiting_.erase(model);
  }
  for (const Waiter& waiter : all) waiter.done(why);
  for (const auto& [waiter, end] : ended) {
    if (end.ok()) {
      waiter.done(waiter.hold);
    } else {
      waiter.done(end);
    }
  }
}

std::vector<std::pair<SpecialistKeeper::Waiter, absl::Status>> SpecialistKeeper::TakeEnded(const std::string& model,
                                                                                           Standing standing,
                                                                                           Waiters& waiters) {
  const absl::Duration now = plane_.clock.Monotonic();
  const std::string lost = standing == Standing::kLost ? ReasonOf(model) : "";
  std::vector<std::pair<Waiter, absl::Status>> ended;
  Waiters staying;
  for (Waiter& waiter : waiters) {
    if (standing == Standing::kServes) {
      ended.emplace_back(std::move(waiter), absl::OkStatus());
    } else if (waiter.patience.gone && waiter.patience.gone()) {
      ended.emplace_back(std::move(waiter), absl::CancelledError("nobody waits for it any more"));
    } else if (now >= waiter.patience.deadline) {
      ended.emplace_back(std::move(waiter),
                         absl::DeadlineExceededError(absl::StrCat("'", model, "' was not in service in time")));
    } else if (standing == Standing::kLost && now >= waiter.lost_until) {
      ended.emplace_back(std::move(waiter), absl::FailedPreconditionError(absl::StrCat(
                                                "'", model, "' is in no service any more, and is not placed again: ",
                                                lost.empty() ? "it is being tried" : lost)));
    } else {
      staying.push_back(std::move(waiter));
    }
  }
  waiters = std::move(staying);
  return ended;
}

bool SpecialistKeeper::TakeOver(const std::string& model) {
  std::vector<uint64_t> placements;
  bool tried = false;
  for (const WantedPlacement& placement : plane_.wanted.List()) {
    if (placement.model != model) continue;
    if (!placement.options.on_demand()) return false;  // an operator's, who decides where it stands
    placements.push_back(placement.id);
    tried = tried || placement.unplaceable;
  }
  // One that is just being placed may succeed.
  if (!tried || !plane_.replicas.OfModel(model).empty()) return false;
  for (const uint64_t id : placements) {
    const absl::Status removed = plane_.wanted.Remove(id);
    if (!removed.ok()) LogWarn("{} stays wanted where it was: {}", model, std::string(removed.message()));
    if (!removed.ok()) return false;
  }
  LogInfo("{} could not be placed again as it was, and is loaded anew", model);
  return true;
}

std::string SpecialistKeeper::ReasonOf(const std::string& model) const {
  for (const WantedPlacement& placement : plane_.wanted.List()) {
    if (placement.model == model && !placement.state_reason.empty()) return placement.state_reason;
  }
  return "";
}

void SpecialistKeeper::StartLoading(const std::string& model) {
  Loading& loading = loading_[model];
  loading.thread = std::thread([this, model] {
    const absl::Status status = Load(model);
    absl::MutexLock lock(&mutex_);
    const auto found = loading_.find(model);
    found->second.status = status;
    found->second.ended = true;
  });
}

enigma::v1::PlanOptions SpecialistKeeper::OptionsFor(const std::string& model) const {
  enigma::v1::PlanOptions options;
  options.set_on_demand(true);
  const RoutingTablePtr table = registry_.table();
  if (table == nullptr) return options;
  std::vector<std::string> nodes;
  if (model == table->specialists.router) {
    nodes = table->specialists.router_nodes;
  } else if (const Task* task = table->specialists.FirstTaskOfModel(model); task != nullptr && task->model == model) {
    nodes = task->nodes;
  }
  options.mutable_nodes()->Assign(nodes.begin(), nodes.end());
  return options;
}

std::set<std::string> SpecialistKeeper::OnDemand() const {
  std::set<std::string> on_demand;
  std::set<std::string> pinned;
  for (const WantedPlacement& placement : plane_.wanted.List()) {
    (placement.options.on_demand() ? on_demand : pinned).insert(placement.model);
  }
  const RoutingTablePtr table = registry_.table();
  if (table != nullptr) pinned.insert(table->specialists.router);
  for (const std::string& model : pinned) on_demand.erase(model);
  return on_demand;
}

std::vector<std::string> SpecialistKeeper::IdleOnDemand(const std::string& besides) const {
  std::set<std::string> on_demand = OnDemand();
  on_demand.erase(besides);
  absl::MutexLock lock(&uses_->mutex);
  std::vector<std::pair<absl::Duration, std::string>> idle;
  for (const std::string& model : on_demand) {
    if (uses_->holds.contains(model)) continue;
    const auto last = uses_->last.find(model);
    idle.emplace_back(last == uses_->last.end() ? absl::ZeroDuration() : last->second, model);
  }
  std::sort(idle.begin(), idle.end());
  std::vector<std::string> models;
  for (auto& entry : idle) models.push_back(std::move(entry.second));
  return models;
}

void SpecialistKeeper::LeaveRoom() {
  absl::MutexLock lock(&mutex_);
  making_room_ = false;
}

absl::Status SpecialistKeeper::MakeRoomAndLoad(const std::string& model) {
  LoadCall call;
  call.model = model;
  call.options = OptionsFor(model);
  call.cancelled = [this] { return cancelled_.load(); };
  {
    absl::MutexLock lock(&mutex_);
    const auto free = [this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !making_room_; };
    mutex_.Await(absl::Condition(&free));
    making_room_ = true;
  }
  bool in_room = true;
  const auto leave = [this, &in_room] {
    if (std::exchange(in_room, false)) LeaveRoom();
  };
  // Once it is planned, its memory counts as taken.
  call.progress = [&leave](const enigma::v1::LoadProgress& progress) {
    if (progress.phase() != "planning") leave();
  };
  Evictable evictable;
  evictable.models = IdleOnDemand(model);
  evictable.claim = [this](const std::string& idle) { return Claim(idle); };
  evictable.release = [this](const std::string& idle) { Release(idle); };
  absl::Status loaded = MakeRoom(plane_, model, call.options, std::move(evictable), call.cancelled);
  if (loaded.ok()) loaded = LoadModel(plane_, call).status();
  leave();
  return loaded;
}

absl::Status SpecialistKeeper::Load(const std::string& model) {
  absl::Status loaded = MakeRoomAndLoad(model);
  // What is wrong is the load, and nothing of the requests that wait for it: no deadline, no name of theirs.
  if (!loaded.ok() && !absl::IsUnavailable(loaded) && !absl::IsResourceExhausted(loaded)) {
    loaded = absl::FailedPreconditionError(loaded.message());
  }
  const std::string why = loaded.ok() ? "" : std::string(loaded.message());
  absl::MutexLock lock(&mutex_);
  // Who wants it tries again and again.
  if (std::string& told = told_[model]; told != why) {
    told = why;
    if (!why.empty()) LogWarn("{} cannot be loaded: {}", model, why);
  }
  return loaded;
}

}  // namespace enigma::coordinator
