// Many clients at once on the HTTP API of a live cluster: what one gets does not depend on the others, and what they
// cost is bounded and gone when they are.
#include <filesystem>
#include <fstream>
#include <future>
#include <string>
#include <thread>
#include <vector>

#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/cluster/cluster.h"
#include "tests/cluster/http_cluster.h"
#include "tests/support/test_data.h"
#include "tests/unit/coordinator/http_client.h"

namespace enigma::testing {
namespace {

using coordinator::testing::Get;
using coordinator::testing::HttpAnswer;
using coordinator::testing::Post;
using coordinator::testing::RawHttp;
using nlohmann::json;

bool Eventually(const std::function<bool()>& holds) {
  for (int i = 0; i < 2000; ++i) {
    if (holds()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return false;
}

std::string RequestOf(const json& ask) {
  const std::string body = ask.dump();
  return "POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n\r\n" +
         body;
}

// The sum of a gauge over its labels.
double Gauge(int port, const std::string& name) {
  double sum = 0;
  std::istringstream lines(Get(port, "/metrics").body);
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind(name + "{", 0) == 0) sum += std::stod(line.substr(line.rfind(' ')));
  }
  return sum;
}

bool Idle(int port) {
  return Gauge(port, "vllm:num_requests_running") == 0 && Gauge(port, "vllm:num_requests_waiting") == 0;
}

size_t Descriptors(pid_t process) {
  size_t count = 0;
  for ([[maybe_unused]] const auto& entry :
       std::filesystem::directory_iterator("/proc/" + std::to_string(process) + "/fd")) {
    ++count;
  }
  return count;
}

// A number of /proc/PID/status: "VmRSS" in KiB, "Threads".
int64_t StatusOf(pid_t process, const std::string& field) {
  std::ifstream in("/proc/" + std::to_string(process) + "/status");
  for (std::string line; std::getline(in, line);) {
    if (line.rfind(field + ":", 0) == 0) return std::stoll(line.substr(field.size() + 1));
  }
  return -1;
}

TEST(HttpLoadTest, TheSameSeedGivesTheSameBytesAloneAndAmongOthers) {
  ENIGMA_REQUIRE_DATA(stories, "models/stories260K-f32.gguf");
  const auto cluster = HttpCluster::Start(stories);
  ASSERT_NE(cluster, nullptr);
  const int port = cluster->port();
  const json asks[] = {
      {{"messages", {{{"role", "user"}, {"content", "Of a cat"}}}},
       {"max_tokens", 80},
       {"seed", 7},
       {"temperature", 0.9}},
      {{"prompt", "Once upon a time"},
       {"max_tokens", 80},
       {"seed", -5},
       {"temperature", 1.2},
       {"top_p", 0.9},
       {"n", 2}},
      {{"prompt", "Lily"}, {"max_tokens", 80}, {"temperature", 0}, {"frequency_penalty", 0.5}, {"logprobs", 3}},
  };
  const auto choices = [port](json ask) {
    ask["model"] = "chat";
    const std::string path = ask.contains("prompt") ? "/v1/completions" : "/v1/chat/completions";
    const HttpAnswer answer = Post(port, path, ask.dump());
    EXPECT_EQ(answer.status, 200) << answer.body;
    return json::parse(answer.body)["choices"].dump();
  };
  for (const json& ask : asks) {
    const std::string alone = choices(ask);
    EXPECT_EQ(choices(ask), alone);
    std::vector<std::future<std::string>> others;
    for (int i = 0; i < 16; ++i) {
      const json other = {{"prompt", "Day " + std::to_string(i)}, {"max_tokens", 40 + 10 * i}, {"seed", i}};
      others.push_back(std::async(std::launch::async, choices, other));
    }
    for (int i = 0; i < 3; ++i) EXPECT_EQ(choices(ask), alone) << ask;
    for (auto& other : others) other.get();
  }
}

TEST(HttpLoadTest, TenThousandConnectionsLeaveNoDescriptorAndNoSequence) {
  ENIGMA_REQUIRE_DATA(stories, "models/stories260K-f32.gguf");
  const auto cluster = HttpCluster::Start(stories);
  ASSERT_NE(cluster, nullptr);
  const int port = cluster->port();
  const pid_t coordinator = cluster->coordinator();
  json ask = {{"model", "slow"}, {"prompt", "a"}, {"max_tokens", 1000}, {"ignore_eos", true}};
  Get(port, "/health");
  const size_t before = Descriptors(coordinator);
  for (int i = 0; i < 10'000; ++i) {
    RawHttp http(port);
    ask["stream"] = i % 8 == 3;
    if (i % 4 == 1) http.Send("POST /v1/completions HTTP/1.1\r\nHost: x\r\nContent-Le");
    if (i % 4 == 2) http.Send("GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n");
    if (i % 4 == 3) http.Send(RequestOf(ask));
  }
  EXPECT_TRUE(Eventually([&] { return Idle(port); })) << Get(port, "/metrics").body;
  EXPECT_TRUE(Eventually([&] { return Descriptors(coordinator) <= before; }))
      << Descriptors(coordinator) << " descriptors, " << before << " before";
  const HttpAnswer answer = Post(port, "/v1/completions", R"({"model":"slow","prompt":"a","max_tokens":4})");
  EXPECT_EQ(answer.status, 200) << answer.body;
}

// The worker gives a turn to some of them at a time; the others are open and have nothing to say.
TEST(HttpLoadTest, AThousandStreamsFitInTwoHundredMebibytes) {
  ENIGMA_REQUIRE_DATA(stories, "models/stories260K-f32.gguf");
  const auto cluster = HttpCluster::Start(stories, {"ENIGMA_RUNNING_MAX=1000"});
  ASSERT_NE(cluster, nullptr);
  const int port = cluster->port();
  const pid_t coordinator = cluster->coordinator();
  Post(port, "/v1/completions", R"({"model":"slow","prompt":"a","max_tokens":4})");
  const int64_t threads = StatusOf(coordinator, "Threads");
  const json ask = {{"model", "slow"}, {"prompt", "a"}, {"max_tokens", 1900}, {"stream", true}, {"ignore_eos", true}};
  std::vector<std::unique_ptr<RawHttp>> streams;
  for (int i = 0; i < 1000; ++i) {
    streams.push_back(std::make_unique<RawHttp>(port));
    ASSERT_TRUE(streams.back()->Send(RequestOf(ask)));
  }
  ASSERT_TRUE(Eventually([port] { return Gauge(port, "vllm:num_requests_running") == 1000; }));
  ASSERT_TRUE(streams.front()->ReadUntil("data: {"));
  EXPECT_EQ(Gauge(port, "vllm:num_requests_running"), 1000);
  EXPECT_LT(StatusOf(coordinator, "VmRSS"), 200 * 1024) << "KiB";
  EXPECT_LE(StatusOf(coordinator, "Threads"), threads + 8) << "a stream costs no thread";
  streams.clear();
  EXPECT_TRUE(Eventually([port] { return Idle(port); }));
}

// Connections must not take the descriptors that nodes, files and commands need.
TEST(HttpLoadTest, ConnectionsLeaveDescriptorsForTheRest) {
  TemporaryDirectory directory;
  const std::string data = directory.path() + "/data";
  const auto coordinator = Process::Start(
      {.argv = {"sh", "-c", "ulimit -Sn 256; ulimit -Hn 512; exec \"$0\" \"$@\"", EnigmaBinary(), "coordinator",
                "--data-dir", data, "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0", "--no-udp"},
       .directory = directory.path(),
       .label = "coordinator"});
  ASSERT_TRUE(coordinator->WaitForOutput("listens on", std::chrono::seconds(60))) << coordinator->Stderr();
  const int port = PortOf(data);
  std::vector<std::unique_ptr<RawHttp>> idle;
  for (int i = 0; i < 600; ++i) idle.push_back(std::make_unique<RawHttp>(port));
  EXPECT_TRUE(idle.back()->ClosedWithin(20'000));
  const size_t open = Descriptors(coordinator->pid());
  EXPECT_GT(open, 384u) << "it raised the limit that it was given";
  EXPECT_LT(open, 500u);
  const RunResult nodes = RunCommand({EnigmaBinary(), "nodes", "--data-dir", data});
  EXPECT_EQ(nodes.status, 0) << nodes.err << coordinator->Stderr();
  idle.clear();
  EXPECT_TRUE(Eventually([port] { return Get(port, "/health").status == 200; }));
}

}  // namespace
}  // namespace enigma::testing
