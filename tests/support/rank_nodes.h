#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "rpc/certificate_authority.h"
#include "rpc/server.h"
#include "tests/support/process.h"
#include "tests/support/tcp_relay.h"
#include "worker/connection/method_router.h"
#include "worker/connection/node_channels.h"
#include "worker/training/incoming_streams.h"
#include "worker/training/stream_links.h"
#include "worker/training/stream_links_service.h"

namespace enigma::testing {

// Nodes "node-0", "node-1" ... of one cluster in this process: certificates, a server with mutual TLS each, and between
// any two a relay for each way of dialling, so that a test can break what is between them.
class RankNodes {
 public:
  explicit RankNodes(uint32_t count) : RankNodes(count, true) {}
  // Without certificates, as with --insecure.
  static RankNodes Insecure(uint32_t count) { return RankNodes(count, false); }

  // Addresses as node `from` knows them, through its relays.
  worker::StreamLinksOptions Options(uint32_t from, uint64_t job, uint64_t epoch) const;
  // For the epoch 1 of job 1, of all nodes.
  absl::StatusOr<std::unique_ptr<engine::PeerLinks>> Open(uint32_t rank) { return Open(Options(rank, 1, 1)); }
  absl::StatusOr<std::unique_ptr<engine::PeerLinks>> Open(const worker::StreamLinksOptions& options);

  // All connections between this node and others break, or go silent.
  void Break(uint32_t node);
  void Freeze(uint32_t node);
  // Only those between these two go silent.
  void FreezeBetween(uint32_t one, uint32_t other);

  const worker::NodeChannels& channels(uint32_t node) const { return nodes_[node]->channels; }
  worker::IncomingStreams& incoming(uint32_t node) { return nodes_[node]->incoming; }
  int port(uint32_t node) const { return nodes_[node]->server->port(); }

 private:
  RankNodes(uint32_t count, bool secure);
  struct Node {
    Node(NodeIdentity who, bool secure) : identity(std::move(who)), channels(secure ? &identity : nullptr) {}
    const NodeIdentity identity;
    const worker::NodeChannels channels;
    worker::IncomingStreams incoming;
    std::unique_ptr<worker::StreamLinksService> service;
    std::unique_ptr<worker::MethodRouter> router;
    std::unique_ptr<RpcServer> server;
    std::vector<std::unique_ptr<TcpRelay>> relays;  // to each other node
  };
  std::vector<TcpRelay*> RelaysOf(uint32_t node) const;  // there and back

  TemporaryDirectory directory_;
  std::unique_ptr<CertificateAuthority> authority_;
  std::vector<std::unique_ptr<Node>> nodes_;
};

}  // namespace enigma::testing
