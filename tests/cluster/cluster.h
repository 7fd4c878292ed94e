#pragma once

#include <chrono>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/support/network.h"
#include "tests/support/process.h"

namespace enigma::testing {

// A real cluster of `enigma` processes for one test: a coordinator and workers, on this machine or on bridged hosts.
class Cluster {
 public:
  struct Options {
    const BridgedHosts* network = nullptr;  // null: all on this machine
    int coordinator_host = 0;
    bool use_seeds = false;  // configure the coordinator's address; else it is found over UDP
    std::vector<std::string> coordinator_flags = {};
  };
  // Starts the coordinator and waits until it answers. Fails the test (and returns null) when it does not.
  static std::unique_ptr<Cluster> Start(Options options);

  // The same, with workers 0 to count - 1 (one thread each, unless `flags` say otherwise), all ready.
  static std::unique_ptr<Cluster> StartWithWorkers(int count, const std::vector<std::string>& flags = {});

  // Starts worker number `index` (on host `host`, when bridged) with a fresh token; does not wait for it.
  void StartWorker(int index, int host = 0, std::vector<std::string> flags = {});
  // Waits until `count` nodes are ready.
  bool WaitForNodes(size_t count, std::chrono::milliseconds timeout = std::chrono::seconds(20));

  // Runs an enigma command against this cluster, on the coordinator's host.
  RunResult Enigma(std::vector<std::string> arguments,
                   std::chrono::milliseconds timeout = std::chrono::seconds(120)) const;
  // The same, with --json parsed; null and a test failure when the command fails.
  nlohmann::json Json(std::vector<std::string> arguments) const;
  std::unique_ptr<Process> StartEnigma(std::vector<std::string> arguments, const std::string& label) const;

  void StartCoordinator();
  Process& coordinator() { return *coordinator_; }
  Process& worker(int index) { return *workers_.at(index); }
  void StopWorker(int index) { workers_.erase(index); }
  std::string WorkerDirectory(int index) const;
  std::string Token() const;
  const std::string& directory() const { return directory_.path(); }
  std::string data_dir() const { return directory_.path() + "/coordinator"; }
  std::string Endpoint() const;
  uint16_t udp_port() const { return static_cast<uint16_t>(std::stoi(udp_port_)); }
  // stderr of every process, for the message of a failed expectation.
  std::string Logs() const;

 private:
  std::vector<std::string> OnHost(int host, std::vector<std::string> argv) const;

  Options options_;
  TemporaryDirectory directory_;
  std::string udp_port_;
  std::unique_ptr<Process> coordinator_;
  int coordinator_starts_ = 0;
  std::map<int, std::unique_ptr<Process>> workers_;
};

std::string EnigmaBinary();

}  // namespace enigma::testing
