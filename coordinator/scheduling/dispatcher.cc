#include "coordinator/scheduling/dispatcher.h"

#include <algorithm>
#include <set>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "coordinator/routing/choose_replica.h"
#include "coordinator/scheduling/admission.h"
#include "coordinator/scheduling/turn.h"
#include "telemetry/log.h"

namespace enigma::coordinator {
namespace {

enigma::v1::SequenceCommand OpenCommand(const enigma::v1::OpenSequence& open, const PictureRows& rows) {
  enigma::v1::SequenceCommand command;
  *command.mutable_open() = open;
  if (rows != nullptr) command.mutable_open()->mutable_given()->Assign(rows->begin(), rows->end());
  if (open.sampling().has_json_schema()) {
    command.mutable_open()->set_constrained(true);
    command.mutable_open()->mutable_sampling()->clear_json_schema();
  }
  return command;
}

enigma::v1::SequenceCommand CancelCommand(uint64_t sequence) {
  enigma::v1::SequenceCommand command;
  command.mutable_cancel()->set_sequence(sequence);
  return command;
}

// Of a sequence that its last stage could not go on with.
absl::Status ErrorOf(const enigma::v1::TokenEvent& event) {
  const auto code = static_cast<absl::StatusCode>(event.error_code());
  return absl::Status(code == absl::StatusCode::kOk ? absl::StatusCode::kInternal : code, event.error());
}

}  // namespace

Dispatcher::~Dispatcher() { Clear(absl::UnavailableError("the coordinator is stopping")); }

void Dispatcher::Clear(const absl::Status& why) {
  std::vector<uint64_t> ids;
  {
    absl::MutexLock lock(&mutex_);
    cleared_ = why;
    for (const auto& entry : replicas_) ids.push_back(entry.first);
  }
  encoders_.Close(why);
  for (const uint64_t id : ids) RemoveReplica(id, why);
}

absl::Status Dispatcher::AddReplica(const Replica& replica, const std::shared_ptr<grpc::Channel>& first,
                                    const std::shared_ptr<grpc::Channel>& last) {
  const uint64_t id = replica.id;
  auto in_service = std::make_shared<InService>();
  in_service->replica = replica;
  in_service->streams = std::make_unique<ReplicaStreams>(
      id, first, last,
      ReplicaStreams::Callbacks{
          [this](const enigma::v1::TokenEvents& events) { OnTokens(events); },
          [this, id](const enigma::v1::SubmitReply& reply) { OnRefused(id, reply); },
          [this, id](bool of_first_stage, const absl::Status& why) { OnBroken(id, of_first_stage, why); }});
  {
    absl::MutexLock lock(&mutex_);
    in_service->broken = true;  // not routed to before both streams are attached
    replicas_[id] = in_service;
  }
  absl::Status attached = in_service->streams->Attach(options_.attach_timeout);
  if (!attached.ok()) {
    RemoveReplica(id, attached);
    return attached;
  }
  {
    absl::MutexLock lock(&mutex_);
    in_service->broken = false;
    CountModel(replica.model->name);
  }
  StartWaiting(replica.model->name);
  return absl::OkStatus();
}

void Dispatcher::RemoveReplica(uint64_t replica, const absl::Status& why) {
  encoders_.Remove(replica, why);
  InServicePtr removed;
  std::vector<RequestPtr> ended;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = replicas_.find(replica);
    if (found == replicas_.end()) return;
    removed = found->second;
    replicas_.erase(found);
    const std::string& model = removed->replica.model->name;
    const bool others = AnyTakesWork(model);
    std::vector<uint64_t> tickets;
    for (const auto& [ticket, request] : requests_) {
      const bool waits_in_vain = request->replica == 0 && !others && request->model == model;
      if (request->replica == replica || waits_in_vain) tickets.push_back(ticket);
    }
    for (const uint64_t ticket : tickets) ended.push_back(Extract(ticket));
    CountModel(model);
  }
  removed->streams->Close();
  for (const RequestPtr& request : ended) request->sink->OnEnd(why);
}

bool Dispatcher::AnyTakesWork(std::string_view model) const {
  return std::any_of(replicas_.begin(), replicas_.end(), [&](const auto& entry) {
    return entry.second->replica.model->name == model && entry.second->takes_work();
  });
}

bool Dispatcher::Retire(uint64_t replica) {
  absl::MutexLock lock(&mutex_);
  const auto found = replicas_.find(replica);
  if (found == replicas_.end()) return true;
  found->second->retiring = true;
  encoders_.SetRetiring(replica, true);
  const std::string& model = found->second->replica.model->name;
  if (found->second->running > 0) return false;
  const bool awaited = encoders_.HasWork(replica) || (IsAwaited(model) && !AnyTakesWork(model));
  return !awaited || found->second->broken;
}

bool Dispatcher::RetireIdle(std::span<const uint64_t> replicas) {
  absl::MutexLock lock(&mutex_);
  for (const uint64_t replica : replicas) {
    const auto found = replicas_.find(replica);
    if (found == replicas_.end()) continue;
    if (found->second->running > 0 || encoders_.HasWork(replica)) return false;
    if (IsAwaited(found->second->replica.model->name)) return false;
  }
  for (const uint64_t replica : replicas) {
    if (const auto found = replicas_.find(replica); found != replicas_.end()) found->second->retiring = true;
    encoders_.SetRetiring(replica, true);
  }
  return true;
}

void Dispatcher::Unretire(std::span<const uint64_t> replicas) {
  std::set<std::string> models;
  {
    absl::MutexLock lock(&mutex_);
    for (const uint64_t replica : replicas) {
      const auto found = replicas_.find(replica);
      if (found == replicas_.end()) continue;
      found->second->retiring = false;
      encoders_.SetRetiring(replica, false);
      models.insert(found->second->replica.model->name);
    }
  }
  for (const std::string& model : models) StartWaiting(model);
}

void Dispatcher::SetStalled(uint64_t replica, bool stalled) {
  encoders_.SetStalled(replica, stalled);
  absl::MutexLock lock(&mutex_);
  if (const auto found = replicas_.find(replica); found != replicas_.end()) found->second->stalled = stalled;
}

size_t Dispatcher::WaitingFor(std::string_view model) const {
  const auto queue = waiting_.find(model);
  return queue == waiting_.end() ? 0 : queue->second.size();
}

bool Dispatcher::IsAwaited(std::string_view model) const {
  return WaitingFor(model) > 0 || encoders_.RequestsOf(model) > 0;
}

absl::Status Dispatcher::AdmitLocked(std::string_view model, absl::Duration turn, bool retiring_too) const {
  ENIGMA_RETURN_IF_ERROR(cleared_);
  AdmissionView view{std::string(model), 0, 0, WaitingFor(model), options_.waiting_max};
  if (view.waiting > 0) view.last_gives_way = turn < waiting_.find(model)->second.rbegin()->first.first;
  for (const auto& [id, in_service] : replicas_) {
    const bool takes_it = in_service->takes_work() || (retiring_too && !in_service->broken);
    if (!takes_it || in_service->replica.model->name != model) continue;
    ++view.replicas_in_service;
    view.running += in_service->running;
  }
  return Admit(view);
}

absl::Status Dispatcher::Admits(std::string_view model, enigma::v1::Priority priority) const {
  absl::MutexLock lock(&mutex_);
  return AdmitLocked(model, TurnOf(priority, options_.clock->Monotonic()), /*retiring_too=*/false);
}

absl::StatusOr<uint64_t> Dispatcher::Submit(std::string_view model, enigma::v1::Priority priority,
                                            enigma::v1::OpenSequence open, std::shared_ptr<TokenSink> sink,
                                            PictureRows rows) {
  auto request = std::make_shared<Request>();
  request->model = std::string(model);
  request->open = std::move(open);
  request->rows = std::move(rows);
  request->sink = std::move(sink);
  const absl::Duration turn = TurnOf(priority, options_.clock->Monotonic());
  RequestPtr gave_way;
  {
    absl::MutexLock lock(&mutex_);
    // One with rows was taken before its pictures were encoded, and that may be before the replicas retired.
    ENIGMA_RETURN_IF_ERROR(AdmitLocked(model, turn, /*retiring_too=*/request->rows != nullptr));
    Queue& queue = waiting_[request->model];
    if (!queue.empty() && queue.size() >= options_.waiting_max) gave_way = Extract(queue.rbegin()->second->ticket);
    request->ticket = next_ticket_++;
    request->place = {turn, request->ticket};
    request->open.set_sequence(request->ticket);
    request->open.set_epoch(1);
    requests_[request->ticket] = request;
    queue.emplace(request->place, request);
    CountModel(request->model);
  }
  if (gave_way != nullptr) {
    gave_way->sink->OnEnd(absl::ResourceExhaustedError(
        absl::StrCat("'", request->model,
                     "' is busy: this request waited, and gave way to one of a higher priority "
                     "when the queue was full; try again later")));
  }
  StartWaiting(request->model);
  return request->ticket;
}

void Dispatcher::StartWaiting(const std::string& model) {
  while (true) {
    RequestPtr request;
    InServicePtr target;
    {
      absl::MutexLock lock(&mutex_);
      Queue& queue = waiting_[model];
      if (queue.empty()) return;
      const bool retiring_too = !AnyTakesWork(model);
      std::vector<ReplicaLoad> loads;
      std::vector<InServicePtr> in_service;
      for (const auto& [id, entry] : replicas_) {
        if (entry->replica.model->name != model) continue;
        const bool in_reach = entry->takes_work() || (retiring_too && !entry->broken);
        loads.push_back({id, entry->running, options_.running_max, in_reach, entry->stalled});
        in_service.push_back(entry);
      }
      const auto chosen = ChooseReplica(loads);
      if (!chosen) return;
      target = in_service[*chosen];
      request = queue.begin()->second;
      queue.erase(queue.begin());
      request->replica = target->replica.id;
      ++target->running;
      CountModel(model);
    }
    request->sink->OnStart(target->replica);
    Start(request, target);
  }
}

void Dispatcher::Start(const RequestPtr& request, const InServicePtr& target) {
  if (!request->open.sampling().has_json_schema()) return SendOpen(request, *target);
  // The target is there while its streams are, and they end after this call has.
  target->streams->PrepareConstraint(request->ticket, request->open.sampling().json_schema(),
                                     [this, request, in_service = target.get()](const absl::Status& prepared) {
                                       if (!prepared.ok())
                                         return NotPrepared(*request, in_service->replica.id, prepared);
                                       SendOpen(request, *in_service);
                                     });
}

void Dispatcher::NotPrepared(const Request& request, uint64_t replica, const absl::Status& why) {
  const bool lost = absl::IsUnavailable(why) || absl::IsCancelled(why) || absl::IsNotFound(why);
  // The stage is gone, which others can tell better.
  if (lost && refused_) return refused_(replica, request.ticket, std::string(why.message()));
  EndRequest(request.ticket, why);
}

void Dispatcher::SendOpen(const RequestPtr& request, InService& target) {
  // They are large, and a sequence is opened once.
  target.streams->Send(OpenCommand(request->open, std::exchange(request->rows, nullptr)));
  // A cancel that came before the sequence was open found nothing to cancel at the worker.
  bool cancelled = false;
  {
    absl::MutexLock lock(&mutex_);
    cancelled = !requests_.contains(request->ticket);
  }
  if (cancelled) target.streams->Send(CancelCommand(request->ticket));
}

Dispatcher::RequestPtr Dispatcher::Extract(uint64_t ticket) {
  const auto found = requests_.find(ticket);
  if (found == requests_.end()) return nullptr;
  RequestPtr request = found->second;
  requests_.erase(found);
  if (request->replica == 0) {
    waiting_[request->model].erase(request->place);
  } else if (const auto replica = replicas_.find(request->replica); replica != replicas_.end()) {
    --replica->second->running;
  }
  CountModel(request->model);
  return request;
}

void Dispatcher::Cancel(uint64_t ticket) {
  RequestPtr request;
  InServicePtr target;
  {
    absl::MutexLock lock(&mutex_);
    request = Extract(ticket);
    if (request == nullptr) return;
    if (const auto found = replicas_.find(request->replica); found != replicas_.end()) target = found->second;
  }
  if (target != nullptr) {
    target->streams->Send(CancelCommand(ticket));
    StartWaiting(request->model);
  }
}

void Dispatcher::OnTokens(const enigma::v1::TokenEvents& message) {
  // Events of one request that arrive together are handed over together.
  std::vector<std::pair<RequestPtr, std::vector<const enigma::v1::TokenEvent*>>> batches;
  std::vector<RequestPtr> ended;
  std::vector<std::pair<RequestPtr, absl::Status>> broken_off;
  {
    absl::MutexLock lock(&mutex_);
    for (const enigma::v1::TokenEvent& event : message.events()) {
      const auto found = requests_.find(event.sequence());
      if (found == requests_.end() || event.epoch() != found->second->open.epoch()) continue;  // cancelled meanwhile
      const RequestPtr request = found->second;
      if (!event.error().empty()) {
        broken_off.emplace_back(Extract(event.sequence()), ErrorOf(event));
        continue;
      }
      auto batch = std::find_if(batches.begin(), batches.end(), [&](const auto& b) { return b.first == request; });
      if (batch == batches.end()) batch = batches.insert(batches.end(), {request, {}});
      batch->second.push_back(&event);
      if (!event.finish_reason().empty()) ended.push_back(Extract(event.sequence()));
    }
  }
  for (const auto& [request, events] : batches) request->sink->OnTokens(events);
  for (const RequestPtr& request : ended) {
    request->sink->OnEnd(absl::OkStatus());
    StartWaiting(request->model);
  }
  for (const auto& [request, why] : broken_off) {
    request->sink->OnEnd(why);
    StartWaiting(request->model);
  }
}

void Dispatcher::OnRefused(uint64_t replica, const enigma::v1::SubmitReply& reply) {
  if (refused_) return refused_(replica, reply.sequence(), reply.error());
  EndRequest(reply.sequence(), absl::AbortedError(reply.error()));
}

void Dispatcher::EndRequest(uint64_t ticket, const absl::Status& why) {
  RequestPtr request;
  {
    absl::MutexLock lock(&mutex_);
    request = Extract(ticket);
  }
  if (request == nullptr) return;
  request->sink->OnEnd(why);
  StartWaiting(request->model);
}

void Dispatcher::OnBroken(uint64_t replica, bool of_first_stage, const absl::Status& why) {
  std::string node;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = replicas_.find(replica);
    if (found == replicas_.end()) return;
    found->second->broken = true;
    const auto& stages = found->second->replica.stages;
    if (!stages.empty()) node = of_first_stage ? stages.front().node_id() : stages.back().node_id();
  }
  if (broken_) broken_(replica, node, why);
}

Dispatcher::Load Dispatcher::LoadOf(uint64_t replica) const {
  absl::MutexLock lock(&mutex_);
  Load load;
  const auto found = replicas_.find(replica);
  if (found == replicas_.end()) return load;
  load.running = found->second->running;
  load.waiting = WaitingFor(found->second->replica.model->name);
  return load;
}

size_t Dispatcher::running() const {
  absl::MutexLock lock(&mutex_);
  size_t running = 0;
  for (const auto& entry : replicas_) running += entry.second->running;
  return running;
}

void Dispatcher::CountModel(const std::string& model) {
  size_t running = 0;
  for (const auto& entry : replicas_) {
    if (entry.second->replica.model->name == model) running += entry.second->running;
  }
  const MetricLabels labels = {{"model_name", model}};
  metrics_.Gauge(Metric::kRequestsRunning, labels).Set(static_cast<double>(running));
  metrics_.Gauge(Metric::kRequestsWaiting, labels).Set(static_cast<double>(WaitingFor(model)));
}

}  // namespace enigma::coordinator
