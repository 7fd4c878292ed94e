#include "tests/cluster/training_jobs.h"

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <utility>

#include <gtest/gtest.h>

namespace enigma::testing {
namespace {

std::string CheckpointsOf(const Cluster& cluster, uint64_t job) {
  return cluster.data_dir() + "/jobs/" + std::to_string(job) + "/checkpoints";
}

std::string StateIn(const std::string& checkpoint) {
  std::ifstream file(checkpoint + "/state.safetensors", std::ios::binary);
  uint64_t head_bytes = 0;
  file.read(reinterpret_cast<char*>(&head_bytes), sizeof head_bytes);
  file.seekg(static_cast<std::streamoff>(head_bytes), std::ios::cur);
  std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  EXPECT_GT(bytes.size(), 1'000'000u) << checkpoint;
  return bytes;
}

}  // namespace

uint64_t TrainJob(const Cluster& cluster, std::vector<std::string> arguments) {
  const nlohmann::json reply = cluster.Json(std::move(arguments));
  return reply.is_object() ? reply.value("job", uint64_t{0}) : 0;
}

std::string FinalState(const Cluster& cluster, uint64_t job) {
  std::string newest;
  for (const auto& entry : std::filesystem::directory_iterator(CheckpointsOf(cluster, job))) {
    newest = std::max(newest, entry.path().string());
  }
  return StateIn(newest);
}

std::string StateOf(const Cluster& cluster, uint64_t job, uint64_t step) {
  const std::string name = std::to_string(step);
  return StateIn(CheckpointsOf(cluster, job) + "/step-" + std::string(9 - name.size(), '0') + name);
}

}  // namespace enigma::testing
