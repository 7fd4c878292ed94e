// Packets that nobody of the cluster sent: counted and dropped, and the cluster goes on.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <gtest/gtest.h>

#include "base/counter_random.h"
#include "tests/cluster/cluster.h"

namespace enigma::testing {
namespace {

// Sends `count` datagrams of random bytes with the given size to everybody who listens on a port of this machine.
void Flood(uint16_t port, int count, size_t size) {
  const int fd = socket(AF_INET, SOCK_DGRAM, 0);
  ASSERT_GE(fd, 0);
  const int yes = 1;
  ASSERT_EQ(setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &yes, sizeof(yes)), 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = inet_addr("127.255.255.255");
  std::string packet(size, '\0');
  for (int i = 0; i < count; ++i) {
    SystemRandomBytes(packet.data(), packet.size());
    sendto(fd, packet.data(), packet.size(), 0, reinterpret_cast<const sockaddr*>(&to), sizeof(to));
  }
  close(fd);
}

// What `enigma doctor` says of dropped beacons: "COUNT dropped: REASON", summed.
uint64_t DroppedBeacons(const Cluster& cluster) {
  uint64_t sum = 0;
  const auto report = nlohmann::json::parse(cluster.Enigma({"doctor", "--json"}).out, nullptr, false);
  if (report.is_discarded()) return 0;
  for (const auto& finding : report.at("findings")) {
    const auto detail = finding.at("detail").get<std::string>();
    if (finding.at("topic") == "beacons" && detail.find(" dropped: ") != std::string::npos) sum += std::stoull(detail);
  }
  return sum;
}

TEST(HostilePacketsTest, GarbageOversizedAndFloodingPacketsAreCountedAndDropped) {
  auto cluster = Cluster::StartWithWorkers(1);
  ASSERT_NE(cluster, nullptr);
  for (const size_t size : {size_t{1}, size_t{64}, size_t{1200}, size_t{4000}}) Flood(cluster->udp_port(), 5000, size);
  EXPECT_TRUE(cluster->coordinator().Running());
  EXPECT_TRUE(cluster->worker(0).Running());
  EXPECT_GT(DroppedBeacons(*cluster), 0U) << cluster->Logs();
  // A node can still join.
  cluster->StartWorker(1);
  EXPECT_TRUE(cluster->WaitForNodes(2));
}

}  // namespace
}  // namespace enigma::testing
