#include "telemetry/exposer.h"

#include <arpa/inet.h>
#include <sys/socket.h>
#include <unistd.h>

#include <chrono>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enigma {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string Get(int port, const std::string& path) {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(static_cast<uint16_t>(port));
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address), 0);
  const std::string request = "GET " + path + " HTTP/1.0\r\nConnection: close\r\n\r\n";
  EXPECT_EQ(write(fd, request.data(), request.size()), static_cast<ssize_t>(request.size()));
  std::string answer;
  char buffer[4096];
  for (ssize_t got; (got = read(fd, buffer, sizeof buffer)) > 0;) answer.append(buffer, static_cast<size_t>(got));
  close(fd);
  return answer;
}

TEST(MetricsExposer, ServesOnAFreePort) {
  Metrics metrics;
  metrics.Counter(Metric::kBeaconsSent, {{"interface", "lo"}}).Increment(7);
  auto exposer = MetricsExposer::Start({.host = "127.0.0.1", .port = 0}, metrics);
  ASSERT_TRUE(exposer.ok()) << exposer.status();
  ASSERT_GT((*exposer)->port(), 0);
  EXPECT_THAT(Get((*exposer)->port(), "/metrics"), HasSubstr("enigma_beacons_sent_total{interface=\"lo\"} 7"));
}

TEST(MetricsExposer, StopsWithoutWaitingForAConnection) {
  Metrics metrics;
  auto exposer = MetricsExposer::Start({.host = "127.0.0.1", .port = 0}, metrics);
  ASSERT_TRUE(exposer.ok()) << exposer.status();
  const auto start = std::chrono::steady_clock::now();
  exposer->reset();
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(1));
}

TEST(MetricsExposer, BusyPortIsNamed) {
  Metrics metrics;
  auto first = MetricsExposer::Start({.host = "127.0.0.1", .port = 0}, metrics);
  ASSERT_TRUE(first.ok()) << first.status();
  const int port = (*first)->port();
  auto second = MetricsExposer::Start({.host = "127.0.0.1", .port = port}, metrics);
  ASSERT_FALSE(second.ok());
  EXPECT_THAT(std::string(second.status().message().data(), second.status().message().size()),
              AllOf(HasSubstr(std::to_string(port)), HasSubstr("in use"), Not(HasSubstr("Civet"))));
}

}  // namespace
}  // namespace enigma
