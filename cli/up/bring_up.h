#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "cli/cluster/cluster_client.h"
#include "cli/up/local_cluster.h"

namespace enigma::cli {

// A line of `enigma up` about itself, on stderr. Thread-safe.
void Say(const std::string& text);

// What has to happen between the start of the coordinator and "ready", in order; runs on a thread of its own while the
// main thread looks after the processes.
class BringUp {
 public:
  // `start_workers` is called (from this thread) once the token lies in `token_file`. `stop` ends every wait.
  BringUp(const LocalClusterOptions& options, std::string token_file, std::function<void()> start_workers,
          const std::atomic<bool>& stop);
  absl::Status Run();

 private:
  absl::Status WaitForCoordinator();
  absl::Status WriteToken();
  absl::Status WaitForWorkers();
  absl::StatusOr<std::string> LoadOne(size_t index);
  absl::Status Ask(const std::string& model);
  bool HasSpecialists();  // behind the model "auto"
  // Calls `done` until it returns true; DEADLINE_EXCEEDED with `what` after `timeout`.
  absl::Status WaitUntil(const std::string& what, absl::Duration timeout, const std::function<bool()>& done);

  const LocalClusterOptions& options_;
  const std::string token_file_;
  const std::function<void()> start_workers_;
  const std::atomic<bool>& stop_;
  const std::filesystem::file_time_type announced_before_;
  std::unique_ptr<ClusterClient> client_;
};

}  // namespace enigma::cli
