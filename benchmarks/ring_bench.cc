// What it costs two ranks of a training job to add up their gradients: sums of 64-bit integers in buckets, between
// threads, over the workers' streams with mutual TLS on loopback, and by Gloo in plain text on loopback. Both ranks
// share this machine's cores. Prints JSON lines.
//   ring_bench [rounds, 7]

#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <absl/strings/str_cat.h>

#include "base/clock.h"
#include "benchmarks/or_die.h"
#include "engine/collective/gloo_communicator.h"
#include "engine/collective/in_process_links.h"
#include "engine/collective/ring_communicator.h"
#include "rpc/certificate_authority.h"
#include "rpc/server.h"
#include "worker/connection/node_channels.h"
#include "worker/training/incoming_streams.h"
#include "worker/training/stream_links.h"
#include "worker/training/stream_links_service.h"

namespace enigma::worker {
namespace {

constexpr size_t kBucket = 1 << 20;  // values
constexpr uint32_t kRanks = 2;
constexpr int kBits = 43;  // of the magnitude of the largest gradients

struct Node {
  explicit Node(NodeIdentity who) : identity(std::move(who)), channels(&identity) {}
  const NodeIdentity identity;
  const NodeChannels channels;
  IncomingStreams incoming;
  std::unique_ptr<StreamLinksService> service;
  std::unique_ptr<RpcServer> server;
};

std::vector<std::unique_ptr<Node>> StartNodes() {
  const std::string folder = absl::StrCat(std::filesystem::temp_directory_path().string(), "/ring_bench_", ::getpid());
  const auto authority = OrDie(CertificateAuthority::LoadOrCreate(folder));
  std::vector<std::unique_ptr<Node>> nodes;
  for (uint32_t i = 0; i < kRanks; ++i) {
    auto node = std::make_unique<Node>(OrDie(authority->Issue(absl::StrCat("node-", i), Role::kWorker)));
    node->service =
        std::make_unique<StreamLinksService>(Authoriser::ForCluster(authority->cluster_id()), node->incoming);
    node->server = OrDie(RpcServer::Start(
        {.host = "127.0.0.1", .identity = &node->identity, .configure = [raw = node.get()](auto& builder) {
           builder.RegisterCallbackGenericService(raw->service.get());
         }}));
    nodes.push_back(std::move(node));
  }
  std::filesystem::remove_all(folder);
  return nodes;
}

using Join = std::function<std::unique_ptr<engine::Communicator>(uint32_t rank)>;

void Measure(const char* links, size_t count, int rounds, const Join& join) {
  std::vector<double> seconds;
  double bytes = 0;
  std::vector<std::thread> threads;
  for (uint32_t rank = 0; rank < kRanks; ++rank) {
    threads.emplace_back([&, rank] {
      const auto ring = join(rank);
      std::vector<int64_t> values(count);
      for (int round = 0; round < rounds; ++round) {
        for (size_t i = 0; i < count; ++i) {
          const auto spread = static_cast<uint32_t>(64 - kBits - 1 + i % 7);
          values[i] = static_cast<int64_t>((i + rank + 1) * 0x9E3779B97F4A7C15U) >> spread;
        }
        uint8_t start = 0;
        OrDie(ring->Broadcast({&start, 1}, 0));
        const absl::Duration begin = Clock::System().Monotonic();
        for (size_t i = 0; i < count; i += kBucket) {
          OrDie(ring->StartSum(std::span(values).subspan(i, std::min(kBucket, count - i))));
        }
        OrDie(ring->Wait());
        if (rank == 0) seconds.push_back(absl::ToDoubleSeconds(Clock::System().Monotonic() - begin));
      }
      if (rank == 0) bytes = static_cast<double>(ring->traffic().sent_bytes) / rounds;
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::sort(seconds.begin(), seconds.end());
  const double median = seconds[seconds.size() / 2];
  std::printf("{\"links\":\"%s\",\"values\":%zu,\"ms\":%.1f,\"gb_per_s\":%.2f,\"wire_bytes_per_value\":%.2f}\n", links,
              count, median * 1e3, static_cast<double>(count) * 8 / median / 1e9, bytes / static_cast<double>(count));
}

std::unique_ptr<engine::PeerLinks> OpenLinks(const std::vector<std::unique_ptr<Node>>& nodes, uint64_t epoch,
                                             uint32_t rank) {
  StreamLinksOptions options;
  options.job = 1;
  options.epoch = epoch;
  options.rank = rank;
  for (uint32_t i = 0; i < kRanks; ++i) {
    v1::NodeAddress address;
    address.set_node_id(absl::StrCat("node-", i));
    address.add_endpoints(absl::StrCat("127.0.0.1:", nodes[i]->server->port()));
    options.ranks.push_back(std::move(address));
  }
  return OrDie(OpenStreamLinks(std::move(options), nodes[rank]->channels, nodes[rank]->incoming));
}

int Main(int rounds) {
  const std::vector<std::unique_ptr<Node>> nodes = StartNodes();
  uint64_t epoch = 0;
  for (const size_t count : {size_t{1} << 20, size_t{30} << 20}) {
    engine::InProcessNetwork network(kRanks);
    Measure("threads", count, rounds, [&](uint32_t rank) { return engine::MakeRingCommunicator(network.Join(rank)); });
    ++epoch;
    Measure("mtls", count, rounds,
            [&](uint32_t rank) { return engine::MakeRingCommunicator(OpenLinks(nodes, epoch, rank)); });
    ++epoch;
    Measure("gloo", count, rounds, [&](uint32_t rank) {
      return engine::MakeGlooCommunicator(OpenLinks(nodes, epoch, rank), {.hosts = {"127.0.0.1"}});
    });
  }
  return 0;
}

}  // namespace
}  // namespace enigma::worker

int main(int argc, char** argv) { return enigma::worker::Main(std::max(1, argc > 1 ? std::atoi(argv[1]) : 7)); }
