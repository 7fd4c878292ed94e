#include "coordinator/state/node_registry.h"

#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/time/time.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "coordinator/state/record_json.h"
#include "telemetry/log.h"

namespace enigma::coordinator {
namespace {

constexpr char kNodePrefix[] = "node/";
constexpr char kRemovedPrefix[] = "removed/";
// `enigma nodes` prints eight bytes of an id; half as many tell the nodes of a small cluster apart.
constexpr size_t kShortIdBytesMin = 4;

std::string HostOf(const Node& node) {
  return node.hello.host_name().empty() ? "an unnamed host" : node.hello.host_name();
}

std::string LabelsOf(const std::vector<const Node*>& nodes) {
  return absl::StrJoin(nodes, ", ", [](std::string* text, const Node* node) { absl::StrAppend(text, node->Label()); });
}

}  // namespace

absl::Status NodeRegistry::Restore() {
  absl::MutexLock lock(&mutex_);
  ENIGMA_RETURN_IF_ERROR(store_.Scan(kRemovedPrefix, [this](std::string_view key, std::string_view) {
    mutex_.AssertHeld();
    removed_.emplace(key.substr(sizeof(kRemovedPrefix) - 1));
    return absl::OkStatus();
  }));
  return store_.Scan(kNodePrefix, [this](std::string_view key, std::string_view value) -> absl::Status {
    mutex_.AssertHeld();
    Node node;
    ENIGMA_RETURN_IF_ERROR(MessageFromRecord(key, value, node.hello));
    node.id = node.hello.node_id();
    node.endpoints = EndpointsOf(node.hello, "");
    node.state_reason = "not back since the coordinator started";
    std::string id = node.id;
    nodes_.insert_or_assign(std::move(id), std::move(node));
    return absl::OkStatus();
  });
}

bool NodeRegistry::Move(Node& node, NodeState to, std::string_view reason) {
  if (!MayMove(node.state, to)) return false;
  node.state = to;
  node.state_reason = std::string(reason);
  return true;
}

absl::Status NodeRegistry::Attend(const enigma::v1::WorkerHello& hello, std::string_view peer_host) {
  Node copy;
  {
    absl::MutexLock lock(&mutex_);
    Node& node = nodes_[hello.node_id()];
    if (node.state == NodeState::kReady) {
      Node second;
      second.hello = hello;
      return absl::AlreadyExistsError(absl::StrCat(
          "node id ", hello.node_id(), " is in use by a live process on ", HostOf(node), "; the second one, on ",
          HostOf(second), ", is refused (was a data folder copied? delete its pki/node.pem and join again)"));
    }
    node.id = hello.node_id();
    Move(node, NodeState::kReady, "");
    node.hello = hello;
    node.stages.clear();
    node.heard = false;
    node.leaving = false;
    node.last_seen = clock_.Monotonic();
    node.endpoints = EndpointsOf(hello, peer_host);
    const auto sighting = sightings_.find(node.id);
    node.found_by = sighting == sightings_.end() ? "" : sighting->second;
    copy = node;
  }
  // A record that cannot be written costs a line in `enigma nodes` after a restart, no more: the node still serves.
  if (absl::Status written = store_.Put(absl::StrCat(kNodePrefix, copy.id), RecordOf(hello)); !written.ok()) {
    LogError("node {} is not remembered: {}", copy.id, Describe(written));
  }
  if (listener_) listener_(copy);
  return absl::OkStatus();
}

bool NodeRegistry::Heartbeat(std::string_view node_id, uint64_t incarnation, const enigma::v1::Heartbeat& heartbeat) {
  absl::MutexLock lock(&mutex_);
  const auto found = nodes_.find(node_id);
  if (found == nodes_.end() || found->second.state != NodeState::kReady) return false;
  Node& node = found->second;
  if (node.hello.incarnation() != incarnation) return false;
  node.last_seen = clock_.Monotonic();
  node.heard = true;
  if (heartbeat.leaving() && !std::exchange(node.leaving, true)) LogInfo("node {} is leaving", node.Label());
  node.hello.mutable_capability()->set_memory_free_bytes(heartbeat.memory_free_bytes());
  node.hello.mutable_capability()->set_disk_free_bytes(heartbeat.disk_free_bytes());
  node.stages.assign(heartbeat.stages().begin(), heartbeat.stages().end());
  return true;
}

bool NodeRegistry::Measured(std::string_view node_id, uint64_t incarnation, const enigma::v1::Capability& capability) {
  Node copy;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = nodes_.find(node_id);
    if (found == nodes_.end() || found->second.state != NodeState::kReady) return false;
    if (found->second.hello.incarnation() != incarnation) return false;
    *found->second.hello.mutable_capability() = capability;
    copy = found->second;
  }
  if (absl::Status written = store_.Put(absl::StrCat(kNodePrefix, copy.id), RecordOf(copy.hello)); !written.ok()) {
    LogError("what node {} can do is not remembered: {}", copy.id, Describe(written));
  }
  if (listener_) listener_(copy);
  return true;
}

bool NodeRegistry::MarkDead(std::string_view node_id, uint64_t incarnation, std::string_view reason) {
  Node copy;
  {
    absl::MutexLock lock(&mutex_);
    const auto found = nodes_.find(node_id);
    if (found == nodes_.end() || found->second.hello.incarnation() != incarnation) return false;
    // One that said so does not break off.
    if (!Move(found->second, NodeState::kDead, found->second.leaving ? "it was stopped" : reason)) return false;
    found->second.stages.clear();
    copy = found->second;
  }
  if (listener_) listener_(copy);
  return true;
}

size_t NodeRegistry::MarkSilentDead(absl::Duration silence) {
  std::vector<Node> dead;
  {
    absl::MutexLock lock(&mutex_);
    const absl::Duration now = clock_.Monotonic();
    for (auto& [id, node] : nodes_) {
      const absl::Duration age = now - node.last_seen;
      if (node.state != NodeState::kReady || age <= silence) continue;
      Move(node, NodeState::kDead, absl::StrCat("silent for ", absl::ToInt64Milliseconds(age), " ms"));
      node.stages.clear();
      dead.push_back(node);
    }
  }
  if (listener_) {
    for (const Node& node : dead) listener_(node);
  }
  return dead.size();
}

void NodeRegistry::ForgiveSilence() {
  absl::MutexLock lock(&mutex_);
  const absl::Duration now = clock_.Monotonic();
  for (auto& [id, node] : nodes_) {
    if (node.state == NodeState::kReady) node.last_seen = now;
  }
}

void NodeRegistry::NoteSightings(Sightings sightings) {
  absl::MutexLock lock(&mutex_);
  sightings_ = std::move(sightings);
  for (auto& [id, node] : nodes_) {
    const auto sighting = sightings_.find(id);
    node.found_by = sighting == sightings_.end() ? "" : sighting->second;
  }
}

absl::Status NodeRegistry::Remove(const std::string& node_id) {
  absl::MutexLock lock(&mutex_);
  const auto found = nodes_.find(node_id);
  if (found == nodes_.end()) return absl::NotFoundError(absl::StrCat("no node has the id ", node_id));
  if (found->second.state == NodeState::kReady) {
    return absl::FailedPreconditionError(
        absl::StrCat("node ", found->second.Label(), " is attached; stop its worker first, then remove it"));
  }
  ENIGMA_RETURN_IF_ERROR(
      store_.Apply({{absl::StrCat(kNodePrefix, node_id), std::nullopt}, {absl::StrCat(kRemovedPrefix, node_id), ""}}));
  nodes_.erase(found);
  removed_.insert(node_id);
  return absl::OkStatus();
}

bool NodeRegistry::IsRemoved(std::string_view node_id) const {
  absl::MutexLock lock(&mutex_);
  return removed_.contains(node_id);
}

std::vector<Node> NodeRegistry::List() const {
  absl::MutexLock lock(&mutex_);
  std::vector<Node> nodes;
  nodes.reserve(nodes_.size());
  for (const auto& [id, node] : nodes_) nodes.push_back(node);
  return nodes;
}

std::optional<Node> NodeRegistry::Find(std::string_view node_id) const {
  absl::MutexLock lock(&mutex_);
  const auto found = nodes_.find(node_id);
  if (found == nodes_.end()) return std::nullopt;
  return found->second;
}

absl::StatusOr<Node> NodeRegistry::Resolve(std::string_view name) const {
  absl::MutexLock lock(&mutex_);
  if (const auto found = nodes_.find(name); found != nodes_.end()) return found->second;
  std::vector<const Node*> on_host;
  std::vector<const Node*> beginning;
  std::vector<std::string> labels;
  for (const auto& [id, node] : nodes_) {
    labels.push_back(node.Label());
    if (node.hello.host_name() == name) on_host.push_back(&node);
    if (name.size() >= kShortIdBytesMin && id.starts_with(name)) beginning.push_back(&node);
  }
  // A whole name goes before the beginning of one.
  const std::vector<const Node*>& matches = on_host.empty() ? beginning : on_host;
  if (matches.size() == 1) return *matches.front();
  if (matches.size() > 1) {
    return absl::FailedPreconditionError(absl::StrCat(
        on_host.empty() ? "several nodes have an id that begins with '" : "several nodes run on host '", ToAbsl(name),
        "': ", LabelsOf(matches), "; name one by ", on_host.empty() ? "more of its id" : "its id"));
  }
  return absl::NotFoundError(absl::StrCat("no node is called '", ToAbsl(name),
                                          "'; there are: ", labels.empty() ? "none" : absl::StrJoin(labels, ", ")));
}

}  // namespace enigma::coordinator
