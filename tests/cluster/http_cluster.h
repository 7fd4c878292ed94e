#pragma once

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/support/process.h"

namespace enigma::testing {

// `enigma up` with two workers and models for the tests of the HTTP API: "chat" is stories260K, "slow" takes seconds
// for an answer and holds 2,048 tokens, and "later" is known and not in service. The first two have a chat template and
// are cut into two stages.
class HttpCluster {
 public:
  // `environment`: NAME=value, for all of its processes. Needs stories260K, whose path is given. Fails the test (and
  // returns null) when the cluster does not come up.
  static std::unique_ptr<HttpCluster> Start(const std::string& stories, std::vector<std::string> environment = {});

  // Runs an enigma command against it.
  RunResult Enigma(std::vector<std::string> arguments) const;
  std::string url() const;  // "http://127.0.0.1:1234"
  int port() const;
  pid_t coordinator() const;
  const std::string& data_dir() const { return data_dir_; }
  std::string Log() const { return up_->Stderr(); }

 private:
  HttpCluster() = default;

  TemporaryDirectory directory_;
  const std::string data_dir_ = directory_.path() + "/data";
  std::unique_ptr<Process> up_;
};

// Of the HTTP API of the coordinator with this data directory.
int PortOf(const std::string& data_dir);

}  // namespace enigma::testing
