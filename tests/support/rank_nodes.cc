#include "tests/support/rank_nodes.h"

#include <utility>

#include <absl/strings/str_cat.h>
#include <gtest/gtest.h>

#include "telemetry/log.h"

namespace enigma::testing {

RankNodes::RankNodes(uint32_t count, bool secure) {
  EXPECT_TRUE(SetLogLevel("warning").ok());
  auto authority = CertificateAuthority::LoadOrCreate(directory_.path());
  EXPECT_TRUE(authority.ok()) << authority.status();
  authority_ = *std::move(authority);
  for (uint32_t i = 0; i < count; ++i) {
    auto identity = authority_->Issue(absl::StrCat("node-", i), Role::kWorker);
    EXPECT_TRUE(identity.ok()) << identity.status();
    auto node = std::make_unique<Node>(*std::move(identity), secure);
    node->service = std::make_unique<worker::StreamLinksService>(
        secure ? Authoriser::ForCluster(authority_->cluster_id()) : Authoriser::Insecure(), node->incoming);
    node->router = std::make_unique<worker::MethodRouter>(
        std::map<std::string, grpc::CallbackGenericService*>{{worker::kRankLinkMethod, node->service.get()}});
    auto server = RpcServer::Start({.host = "127.0.0.1",
                                    .identity = secure ? &node->identity : nullptr,
                                    .configure = [raw = node.get()](grpc::ServerBuilder& builder) {
                                      builder.RegisterCallbackGenericService(raw->router.get());
                                    }});
    EXPECT_TRUE(server.ok()) << server.status();
    node->server = *std::move(server);
    nodes_.push_back(std::move(node));
  }
  for (uint32_t from = 0; from < count; ++from) {
    for (uint32_t to = 0; to < count; ++to) {
      nodes_[from]->relays.push_back(to == from ? nullptr : TcpRelay::Start(port(to)));
      EXPECT_EQ(nodes_[from]->relays.back() == nullptr, to == from);
    }
  }
}

worker::StreamLinksOptions RankNodes::Options(uint32_t from, uint64_t job, uint64_t epoch) const {
  worker::StreamLinksOptions options;
  options.job = job;
  options.epoch = epoch;
  options.rank = from;
  for (uint32_t to = 0; to < nodes_.size(); ++to) {
    v1::NodeAddress address;
    address.set_node_id(absl::StrCat("node-", to));
    address.add_endpoints(absl::StrCat("127.0.0.1:", to == from ? port(to) : nodes_[from]->relays[to]->port()));
    options.ranks.push_back(std::move(address));
  }
  return options;
}

absl::StatusOr<std::unique_ptr<engine::PeerLinks>> RankNodes::Open(const worker::StreamLinksOptions& options) {
  Node& node = *nodes_[options.rank];
  return worker::OpenStreamLinks(options, node.channels, node.incoming);
}

void RankNodes::Break(uint32_t node) {
  for (TcpRelay* relay : RelaysOf(node)) relay->Break();
}

void RankNodes::Freeze(uint32_t node) {
  for (TcpRelay* relay : RelaysOf(node)) relay->Freeze();
}

void RankNodes::FreezeBetween(uint32_t one, uint32_t other) {
  nodes_[one]->relays[other]->Freeze();
  nodes_[other]->relays[one]->Freeze();
}

std::vector<TcpRelay*> RankNodes::RelaysOf(uint32_t node) const {
  std::vector<TcpRelay*> relays;
  for (uint32_t other = 0; other < nodes_.size(); ++other) {
    if (other == node) continue;
    relays.push_back(nodes_[node]->relays[other].get());
    relays.push_back(nodes_[other]->relays[node].get());
  }
  return relays;
}

}  // namespace enigma::testing
