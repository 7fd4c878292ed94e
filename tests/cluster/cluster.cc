#include "tests/cluster/cluster.h"

#include <filesystem>
#include <fstream>
#include <thread>

#include <gtest/gtest.h>

#include "base/counter_random.h"

namespace enigma::testing {

using std::chrono::milliseconds;
using std::chrono::seconds;

std::string EnigmaBinary() { return ENIGMA_BINARY; }

std::unique_ptr<Cluster> Cluster::Start(Options options) {
  auto cluster = std::unique_ptr<Cluster>(new Cluster);
  cluster->options_ = std::move(options);
  // Beacons of clusters that are tested at the same time stay apart.
  cluster->udp_port_ = std::to_string(20000 + SystemRandom64() % 10000);
  std::filesystem::create_directories(cluster->data_dir());
  cluster->StartCoordinator();
  const auto deadline = std::chrono::steady_clock::now() + seconds(30);
  while (std::chrono::steady_clock::now() < deadline) {
    if (cluster->Enigma({"nodes", "--json"}, seconds(10)).status == 0) return cluster;
    if (!cluster->coordinator().Running()) break;
    std::this_thread::sleep_for(milliseconds(50));
  }
  ADD_FAILURE() << "the coordinator does not answer\n" << cluster->Logs();
  return nullptr;
}

std::unique_ptr<Cluster> Cluster::StartWithWorkers(int count, const std::vector<std::string>& flags) {
  auto cluster = Start({});
  if (cluster == nullptr) return nullptr;
  for (int i = 0; i < count; ++i) cluster->StartWorker(i, 0, flags);
  if (cluster->WaitForNodes(static_cast<size_t>(count))) return cluster;
  ADD_FAILURE() << "not all of " << count << " workers are ready\n" << cluster->Logs();
  return nullptr;
}

void Cluster::StartCoordinator() {
  coordinator_.reset();
  std::vector<std::string> argv = {EnigmaBinary(), "coordinator",
                                   "--data-dir",   data_dir(),
                                   "--udp-port",   udp_port_,
                                   "--http",       "127.0.0.1:0",
                                   "--listen",     options_.network == nullptr ? "127.0.0.1:0" : "0.0.0.0:0"};
  argv.insert(argv.end(), options_.coordinator_flags.begin(), options_.coordinator_flags.end());
  coordinator_ = Process::Start({.argv = OnHost(options_.coordinator_host, argv),
                                 .directory = directory_.path(),
                                 .label = "coordinator" + std::to_string(coordinator_starts_++)});
}

void Cluster::StartWorker(int index, int host, std::vector<std::string> flags) {
  std::filesystem::create_directories(WorkerDirectory(index));
  std::vector<std::string> argv = {
      EnigmaBinary(),   "worker",  "--data-dir", WorkerDirectory(index),
      "--udp-port",     udp_port_, "--listen",   options_.network == nullptr ? "127.0.0.1:0" : "0.0.0.0:0",
      "--metrics-port", "0"};
  if (options_.use_seeds) argv.insert(argv.end(), {"--seed", Endpoint()});
  bool has_token = false;
  for (const auto& flag : flags) has_token = has_token || flag.rfind("--token", 0) == 0;
  if (!has_token) argv.insert(argv.end(), {"--token", Token()});
  bool has_threads = false;
  for (const auto& flag : flags) has_threads = has_threads || flag == "--threads";
  if (!has_threads) argv.insert(argv.end(), {"--threads", "1"});
  argv.insert(argv.end(), flags.begin(), flags.end());
  workers_[index] = Process::Start(
      {.argv = OnHost(host, argv), .directory = directory_.path(), .label = "worker" + std::to_string(index)});
}

bool Cluster::WaitForNodes(size_t count, milliseconds timeout) {
  const auto deadline = std::chrono::steady_clock::now() + timeout;
  size_t ready = 0;
  do {
    const RunResult result = Enigma({"nodes", "--json"}, seconds(10));
    ready = 0;
    if (result.status == 0) {
      const auto reply = nlohmann::json::parse(result.out, nullptr, false);
      if (reply.contains("nodes")) {
        for (const auto& node : reply["nodes"]) ready += node.value("state", "") == "ready" ? 1 : 0;
      }
    }
    if (ready == count) return true;
    std::this_thread::sleep_for(milliseconds(50));
  } while (std::chrono::steady_clock::now() < deadline);
  ADD_FAILURE() << ready << " nodes are ready, not " << count << "\n" << Logs();
  return false;
}

RunResult Cluster::Enigma(std::vector<std::string> arguments, milliseconds timeout) const {
  std::vector<std::string> argv = {EnigmaBinary()};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  argv.insert(argv.end(), {"--data-dir", data_dir()});
  return RunCommand(OnHost(options_.coordinator_host, argv), timeout);
}

nlohmann::json Cluster::Json(std::vector<std::string> arguments) const {
  arguments.emplace_back("--json");
  const RunResult result = Enigma(arguments);
  if (result.status != 0) {
    ADD_FAILURE() << arguments[0] << " ended with status " << result.status << ": " << result.err << "\n" << Logs();
    return nullptr;
  }
  auto parsed = nlohmann::json::parse(result.out, nullptr, false);
  EXPECT_FALSE(parsed.is_discarded()) << "not JSON: " << result.out;
  return parsed;
}

std::unique_ptr<Process> Cluster::StartEnigma(std::vector<std::string> arguments, const std::string& label) const {
  std::vector<std::string> argv = {EnigmaBinary()};
  argv.insert(argv.end(), arguments.begin(), arguments.end());
  argv.insert(argv.end(), {"--data-dir", data_dir()});
  return Process::Start(
      {.argv = OnHost(options_.coordinator_host, argv), .directory = directory_.path(), .label = label});
}

std::string Cluster::WorkerDirectory(int index) const {
  return directory_.path() + "/worker-data" + std::to_string(index);
}

std::string Cluster::Token() const {
  const auto reply = Json({"token", "create"});
  return reply.is_null() ? "" : reply.value("token", "");
}

std::string Cluster::Endpoint() const {
  std::ifstream in(data_dir() + "/endpoint.json");
  const auto parsed = nlohmann::json::parse(in, nullptr, false);
  const std::string listening = parsed.is_discarded() ? "" : parsed.value("grpc", "");
  const std::string port = listening.substr(listening.rfind(':') + 1);
  return (options_.network == nullptr ? "127.0.0.1" : options_.network->Address(options_.coordinator_host)) + ":" +
         port;
}

std::string Cluster::Logs() const {
  std::string logs;
  for (const auto& entry : std::filesystem::directory_iterator(directory_.path())) {
    if (entry.path().extension() != ".err") continue;
    std::ifstream in(entry.path());
    logs += "--- " + entry.path().filename().string() + "\n";
    logs.append(std::istreambuf_iterator<char>(in), {});
  }
  return logs;
}

std::vector<std::string> Cluster::OnHost(int host, std::vector<std::string> argv) const {
  return options_.network == nullptr ? argv : options_.network->On(host, std::move(argv));
}

}  // namespace enigma::testing
