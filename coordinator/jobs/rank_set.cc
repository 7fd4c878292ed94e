#include "coordinator/jobs/rank_set.h"

#include <algorithm>
#include <optional>

#include <absl/strings/str_cat.h>

#include "base/text.h"
#include "telemetry/log.h"

namespace enigma::coordinator {
namespace {

// Of events that wait to be looked at; then streams wait, and ranks with them.
constexpr size_t kEventsMax = 4096;

}  // namespace

RankSet::~RankSet() {
  {
    absl::MutexLock lock(&mutex_);
    closing_ = true;
  }
  ranks_.clear();
  leaving_.clear();
}

void RankSet::Open(const std::string& node_id) {
  if (IsOpen(node_id) || leaving_.contains(node_id)) return;
  {
    absl::MutexLock lock(&mutex_);
    Told& told = told_[node_id];
    told = Told();
    told.changed_at = plane_.clock.Monotonic();
    told.stands_since = told.changed_at;
  }
  ranks_[node_id].stream = std::make_unique<RankStream>(
      plane_, node_id, [this, node_id] { return prepare_(node_id); },
      [this, node_id](const enigma::v1::RankEvent& event) { OnEvent(node_id, event); },
      [this, node_id](const absl::Status& why) { OnLost(node_id, why); });
}

std::unique_ptr<RankStream> RankSet::Forget(const std::string& node_id) {
  {
    absl::MutexLock lock(&mutex_);
    told_.erase(node_id);  // the stream's thread finds nothing to note any more
  }
  const auto rank = ranks_.find(node_id);
  if (rank == ranks_.end()) return nullptr;
  std::unique_ptr<RankStream> stream = std::move(rank->second.stream);
  ranks_.erase(rank);
  return stream;
}

void RankSet::Close(const std::string& node_id) {
  std::unique_ptr<RankStream> stream = Forget(node_id);
  if (stream == nullptr) return;
  stream->Cancel();
  leaving_[node_id] = {std::move(stream), absl::InfiniteDuration()};
}

void RankSet::LetGo(const std::string& node_id, const enigma::v1::RankOrder& order, absl::Duration patience) {
  std::unique_ptr<RankStream> stream = Forget(node_id);
  if (stream == nullptr) return;
  stream->SendLast(order);
  leaving_[node_id] = {std::move(stream), plane_.clock.Monotonic() + patience};
}

std::vector<std::string> RankSet::Nodes() const {
  std::vector<std::string> nodes;
  for (const auto& entry : ranks_) nodes.push_back(entry.first);
  return nodes;
}

std::set<std::string> RankSet::NodesWithStreams() const {
  std::set<std::string> nodes;
  for (const auto& entry : ranks_) nodes.insert(entry.first);
  for (const auto& entry : leaving_) nodes.insert(entry.first);
  return nodes;
}

bool RankSet::Send(const std::string& node_id, const enigma::v1::RankOrder& order) {
  const auto rank = ranks_.find(node_id);
  return rank != ranks_.end() && rank->second.stream->Send(order);
}

bool RankSet::SendOnce(const std::string& node_id, const std::string& key, const enigma::v1::RankOrder& order) {
  const auto rank = ranks_.find(node_id);
  if (rank == ranks_.end()) return false;
  absl::Duration came_up;
  {
    absl::MutexLock lock(&mutex_);
    const auto told = told_.find(node_id);
    if (told == told_.end() || !told->second.connected) return false;
    came_up = told->second.changed_at;
  }
  const auto sent = rank->second.sent_once.find(key);
  if (sent != rank->second.sent_once.end() && sent->second == came_up) return true;
  if (!rank->second.stream->Send(order)) return false;
  rank->second.sent_once[key] = came_up;
  return true;
}

void RankSet::OnEvent(const std::string& node_id, const enigma::v1::RankEvent& event) {
  const absl::Duration now = plane_.clock.Monotonic();
  absl::MutexLock lock(&mutex_);
  const auto has_room = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return events_.size() < kEventsMax || closing_ || !told_.contains(node_id);
  };
  mutex_.Await(absl::Condition(&has_room));
  const auto found = told_.find(node_id);
  if (found == told_.end() || closing_) return;
  Told& told = found->second;
  changed_ = true;
  if (event.has_preparing()) {
    told.fetched = event.preparing();
  } else if (event.has_standing()) {
    if (!told.connected) told.changed_at = now;
    if (!told.connected || told.standing.phase() != event.standing().phase()) told.stands_since = now;
    told.connected = true;
    told.trouble.clear();
    told.standing = event.standing();
    LogDebug("rank on node {} stands at {}", node_id, told.standing.ShortDebugString());
  } else {
    events_.push_back({node_id, event, event.has_failed() && !told.connected});
  }
}

void RankSet::OnLost(const std::string& node_id, const absl::Status& why) {
  absl::MutexLock lock(&mutex_);
  changed_ = true;
  const auto found = told_.find(node_id);
  if (found == told_.end()) return;
  found->second.trouble = why.ok() ? "" : ToString(why.message());
  if (!found->second.connected) return;
  found->second.connected = false;
  found->second.changed_at = plane_.clock.Monotonic();
  LogInfo("the stream to the rank on node {} ended: {}", node_id, why.ok() ? "the rank was let go" : Describe(why));
}

std::vector<RankView> RankSet::Look(std::vector<Event>* events) {
  const absl::Duration now = plane_.clock.Monotonic();
  std::erase_if(leaving_, [](const auto& entry) { return entry.second.stream->over(); });
  for (auto& [node_id, leaving] : leaving_) {
    if (now < leaving.until) continue;
    leaving.stream->Cancel();
    leaving.until = absl::InfiniteDuration();
  }
  std::vector<RankView> views;
  absl::MutexLock lock(&mutex_);
  for (const auto& [node_id, told] : told_) {
    RankView view;
    const std::optional<Node> node = plane_.nodes.Find(node_id);
    view.node = node_id;
    view.alive = node && node->state == NodeState::kReady;
    view.leaving = node && node->leaving;
    view.connected = told.connected;
    view.changed_at = told.changed_at;
    view.stands_since = told.stands_since;
    view.standing = told.standing;
    views.push_back(std::move(view));
  }
  events->swap(events_);
  events_.clear();
  return views;
}

bool RankSet::HasState(uint64_t step) const {
  absl::MutexLock lock(&mutex_);
  return std::any_of(told_.begin(), told_.end(), [&](const auto& entry) {
    const Told& told = entry.second;
    return told.connected && told.standing.phase() != enigma::v1::RANK_PREPARING && told.standing.step() >= step;
  });
}

std::string RankSet::Troubles() const {
  std::string troubles;
  absl::MutexLock lock(&mutex_);
  for (const auto& [node_id, told] : told_) {
    if (told.connected || told.trouble.empty()) continue;
    const std::optional<Node> node = plane_.nodes.Find(node_id);
    absl::StrAppend(&troubles, troubles.empty() ? "" : "; ", "node ", node ? node->Label() : node_id, ": ",
                    told.trouble);
  }
  return troubles;
}

std::pair<uint64_t, uint64_t> RankSet::Fetched() const {
  std::pair<uint64_t, uint64_t> sum;
  absl::MutexLock lock(&mutex_);
  for (const auto& [node_id, told] : told_) {
    sum.first += told.fetched.bytes();
    sum.second += told.fetched.bytes_total();
  }
  return sum;
}

void RankSet::Await(absl::Duration timeout) {
  absl::MutexLock lock(&mutex_);
  mutex_.AwaitWithTimeout(absl::Condition(&changed_), timeout);
  changed_ = false;
}

void RankSet::Wake() {
  absl::MutexLock lock(&mutex_);
  changed_ = true;
}

}  // namespace enigma::coordinator
