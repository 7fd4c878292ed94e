#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>

#include "base/clock.h"
#include "coordinator/state/node.h"
#include "coordinator/store/store.h"

namespace enigma::coordinator {

// Who is in the cluster and who lives. Thread-safe. Nodes are known across restarts (store keys "node/<id>"),
// and so are the removed ones ("removed/<id>").
class NodeRegistry {
 public:
  // Called without a lock, on the thread that moved the node, or told what it can do: `node` is as after that.
  using Listener = std::function<void(const Node& node)>;

  NodeRegistry(Store& store, const Clock& clock) : store_(store), clock_(clock) {}

  // Reads the nodes known from before; all are absent. DATA_LOSS names the key of a corrupt record.
  absl::Status Restore();
  // At most one; set before the first node attends.
  void SetListener(Listener listener) { listener_ = std::move(listener); }

  // A node attends. ALREADY_EXISTS, naming both hosts, when another live process has its id.
  absl::Status Attend(const enigma::v1::WorkerHello& hello, std::string_view peer_host);
  // Reports of a process that is no longer the node's (another incarnation) are ignored: false.
  bool Heartbeat(std::string_view node_id, uint64_t incarnation, const enigma::v1::Heartbeat& heartbeat);
  // What the node can do, where it attended before that was known. Ignored likewise.
  bool Measured(std::string_view node_id, uint64_t incarnation, const enigma::v1::Capability& capability);
  bool MarkDead(std::string_view node_id, uint64_t incarnation, std::string_view reason);
  // Ready nodes that have not been heard for longer than `silence` become dead. How many.
  size_t MarkSilentDead(absl::Duration silence);
  // Counts every ready node as heard just now.
  void ForgiveSilence();
  // How the nodes that are announced now were found, by id. Takes the place of what was noted before.
  using Sightings = std::map<std::string, std::string, std::less<>>;
  void NoteSightings(Sightings sightings);

  // Forgets a node and remembers that its certificate is good no more. FAILED_PRECONDITION while it attends.
  absl::Status Remove(const std::string& node_id);
  // Whether its certificate was revoked so.
  [[nodiscard]] bool IsRemoved(std::string_view node_id) const;

  std::vector<Node> List() const;  // by id
  std::optional<Node> Find(std::string_view node_id) const;
  // By id, host name or the beginning of an id (four bytes or more), in this order. NOT_FOUND lists the nodes there
  // are; FAILED_PRECONDITION lists those that a host name or a beginning has in common.
  absl::StatusOr<Node> Resolve(std::string_view name) const;

 private:
  bool Move(Node& node, NodeState to, std::string_view reason) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  Store& store_;
  const Clock& clock_;
  Listener listener_;
  mutable absl::Mutex mutex_;
  std::map<std::string, Node, std::less<>> nodes_ ABSL_GUARDED_BY(mutex_);
  std::set<std::string, std::less<>> removed_ ABSL_GUARDED_BY(mutex_);
  Sightings sightings_ ABSL_GUARDED_BY(mutex_);  // also of nodes yet to attend
};

}  // namespace enigma::coordinator
