#include "cli/up/local_cluster.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <thread>

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "cli/generation/local_model.h"
#include "cli/output/format.h"
#include "cli/up/bring_up.h"
#include "cli/up/child_process.h"
#include "cli/up/restart_policy.h"

namespace enigma::cli {

namespace {

constexpr absl::Duration kStopGrace = absl::Seconds(10);
constexpr absl::Duration kLeaveTime = absl::Milliseconds(500);  // of workers whose coordinator has ended
constexpr char kSilenceMs[] = "15000";

uint64_t AvailableMemory() {
  std::ifstream in("/proc/meminfo");
  std::string key;
  uint64_t kibibytes = 0;
  std::string unit;
  while (in >> key >> kibibytes >> unit) {
    if (key == "MemAvailable:") return kibibytes << 10;
  }
  return 0;
}

// The main thread's part: starts processes, restarts workers, and stops all. Not thread-safe but for
// RequestWorkers.
class Supervisor {
 public:
  explicit Supervisor(const LocalClusterOptions& options)
      : options_(options),
        program_(OwnProgram()),
        token_file_(options.data_dir + "/workers/join.token"),
        workers_(options.workers) {}

  absl::Status Run();

 private:
  struct Worker {
    std::optional<ChildProcess> process;
    RestartPolicy restart;
    absl::Time start_at = absl::InfinitePast();
  };

  std::string UdpPort() const { return options_.udp_port == 0 ? "" : absl::StrCat(options_.udp_port); }
  std::vector<std::string> CoordinatorCommand() const;
  std::vector<std::string> WorkerCommand(size_t index) const;
  absl::Status LookAfterWorkers();
  absl::Status Watch();
  static bool TakeStopSignal(absl::Duration wait);
  void DrainCoordinator();
  void StopAll();
  static bool AnyRunning(std::vector<ChildProcess*>& children);
  static void EndAll(std::vector<ChildProcess*> children);

  const LocalClusterOptions& options_;
  const std::string program_;
  const std::string token_file_;
  std::optional<ChildProcess> coordinator_;
  std::vector<Worker> workers_;
  std::atomic<bool> workers_wanted_{false};
  std::atomic<bool> stop_{false};
  std::atomic<bool> brought_up_{false};
  absl::Status bring_up_status_;  // written before brought_up_ is set
};

std::vector<std::string> Supervisor::CoordinatorCommand() const {
  std::vector<std::string> argv = {program_, "coordinator", "--data-dir", options_.data_dir};
  const auto add = [&argv](const char* flag, const std::string& value) {
    if (!value.empty()) argv.insert(argv.end(), {flag, value});
  };
  add("--listen", options_.listen);
  add("--http", options_.http);
  add("--udp-port", UdpPort());
  add("--log", options_.log);
  // No host can fall silent here, and a process that ends is seen at once by its connection. What is silent for a
  // second is a machine with more to do than cores.
  if (std::getenv("ENIGMA_SILENCE_MS") == nullptr) add("--silence-ms", kSilenceMs);
  add("--drain-timeout", absl::StrCat(options_.drain_seconds));
  add("--specialists", options_.specialists);
  // What the environment says the coordinator hears itself, and as less than a flag (--no-default-models).
  const char* inherited = std::getenv("ENIGMA_MODELS_DIR");
  if (inherited == nullptr || options_.models_dir != inherited) add("--models-dir", options_.models_dir);
  if (options_.no_default_models) argv.emplace_back("--no-default-models");
  if (options_.insecure) argv.emplace_back("--insecure");
  return argv;
}

std::vector<std::string> Supervisor::WorkerCommand(size_t index) const {
  const uint32_t cores = options_.threads != 0 ? options_.threads : static_cast<uint32_t>(AvailableCores());
  const uint32_t threads = std::max(1U, cores / options_.workers);
  std::vector<std::string> argv = {program_,         "worker",
                                   "--data-dir",     absl::StrCat(options_.data_dir, "/workers/", index + 1),
                                   "--listen",       "127.0.0.1:0",
                                   "--metrics-port", "0",
                                   "--threads",      absl::StrCat(threads)};
  // Each worker would take all the memory of the machine for its own.
  if (const uint64_t memory = AvailableMemory(); options_.workers > 1 && memory > 0) {
    argv.insert(argv.end(), {"--memory", absl::StrCat(memory / options_.workers)});
  }
  if (options_.udp_port != 0) argv.insert(argv.end(), {"--udp-port", UdpPort()});
  if (!options_.log.empty()) argv.insert(argv.end(), {"--log", options_.log});
  if (options_.trusted_network) argv.emplace_back("--trusted-network");
  if (options_.insecure) {
    argv.emplace_back("--insecure");
  } else {
    argv.insert(argv.end(), {"--token-file", token_file_});
  }
  return argv;
}

absl::Status Supervisor::LookAfterWorkers() {
  const absl::Time now = absl::Now();
  for (size_t i = 0; i < workers_.size(); ++i) {
    Worker& worker = workers_[i];
    if (worker.process) {
      const std::string end = worker.process->PollEnd();
      if (end.empty()) continue;
      worker.process.reset();
      worker.start_at = worker.restart.Ended(now);
      Say(absl::StrCat("worker ", i + 1, " ended: ", end, "; starting it again in ",
                       absl::FormatDuration(worker.start_at - now)));
      continue;
    }
    if (now < worker.start_at) continue;
    ENIGMA_ASSIGN_OR_RETURN(worker.process, ChildProcess::Start(WorkerCommand(i)));
    worker.restart.Started(now);
  }
  return absl::OkStatus();
}

// Waits for a signal, at most so long; true when it is one to stop.
bool Supervisor::TakeStopSignal(absl::Duration wait) {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGCHLD);
  const timespec timeout = absl::ToTimespec(wait);
  const int signal = ::sigtimedwait(&signals, nullptr, &timeout);
  return signal == SIGINT || signal == SIGTERM;
}

absl::Status Supervisor::Watch() {
  bool reported = false;
  while (true) {
    if (TakeStopSignal(absl::Milliseconds(50))) return absl::OkStatus();
    if (const std::string end = coordinator_->PollEnd(); !end.empty()) {
      return absl::AbortedError(absl::StrCat("the coordinator ended: ", end));
    }
    if (workers_wanted_.load()) ENIGMA_RETURN_IF_ERROR(LookAfterWorkers());
    if (brought_up_.load() && !reported) {
      reported = true;
      ENIGMA_RETURN_IF_ERROR(bring_up_status_);
    }
  }
}

bool Supervisor::AnyRunning(std::vector<ChildProcess*>& children) {
  return std::any_of(children.begin(), children.end(), [](ChildProcess* child) { return child->PollEnd().empty(); });
}

void Supervisor::EndAll(std::vector<ChildProcess*> children) {
  const auto signal_and_wait = [&](absl::Time until) {
    for (ChildProcess* child : children) child->Signal(SIGTERM);
    while (AnyRunning(children) && absl::Now() < until) absl::SleepFor(absl::Milliseconds(20));
  };
  const absl::Time begun = absl::Now();
  signal_and_wait(begun + kLeaveTime);
  // Nobody is left who would let go of ranks that train; a second signal ends what runs.
  signal_and_wait(begun + kStopGrace);
  for (ChildProcess* child : children) {
    if (!child->PollEnd().empty()) continue;
    Say(absl::StrCat("process ", child->pid(), " did not end in ", absl::FormatDuration(kStopGrace), "; killing it"));
    child->Signal(SIGKILL);
  }
  while (AnyRunning(children)) absl::SleepFor(absl::Milliseconds(10));
}

// Requests that run need their workers, so these go on until the coordinator is done.
void Supervisor::DrainCoordinator() {
  if (!coordinator_->PollEnd().empty()) return;
  coordinator_->Signal(SIGTERM);
  const absl::Time deadline = absl::Now() + absl::Seconds(options_.drain_seconds) + kStopGrace;
  while (coordinator_->PollEnd().empty() && absl::Now() < deadline) {
    if (TakeStopSignal(absl::Milliseconds(20))) return;  // what is left ends at once
  }
}

void Supervisor::StopAll() {
  DrainCoordinator();
  std::vector<ChildProcess*> children = {&*coordinator_};
  for (Worker& worker : workers_) {
    if (worker.process) children.push_back(&*worker.process);
  }
  EndAll(children);
}

absl::Status Supervisor::Run() {
  ENIGMA_ASSIGN_OR_RETURN(coordinator_, ChildProcess::Start(CoordinatorCommand()));
  BringUp bring_up(
      options_, token_file_, [this] { workers_wanted_.store(true); }, stop_);
  std::thread thread([this, &bring_up] {
    bring_up_status_ = bring_up.Run();
    brought_up_.store(true);
  });
  const absl::Status status = Watch();
  Say("stopping");
  stop_.store(true);
  StopAll();
  thread.join();
  return status;
}

}  // namespace

std::string LocalClusterOptions::NameOf(size_t index) const {
  return index < names.size() ? names[index] : std::filesystem::path(models[index]).stem().string();
}

std::string LocalClusterOptions::EncoderOf(size_t index) const {
  return index < encoders.size() ? encoders[index] : "";
}

absl::Status RunLocalCluster(const LocalClusterOptions& options) {
  std::error_code error;
  std::filesystem::create_directories(options.data_dir + "/workers", error);
  if (error) return absl::InternalError(absl::StrCat("cannot make ", options.data_dir, ": ", error.message()));
  for (const std::string& model : options.models) {
    if (!std::filesystem::exists(model)) return absl::NotFoundError(absl::StrCat("no such model file: ", model));
  }
  for (const std::string& encoder : options.encoders) {
    if (!std::filesystem::exists(encoder)) {
      return absl::NotFoundError(absl::StrCat("no such image encoder file: ", encoder));
    }
  }
  // Two of these in one directory would start each other's workers.
  const std::string lock_path = options.data_dir + "/up.lock";
  const int lock = ::open(lock_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (lock < 0 || ::flock(lock, LOCK_EX | LOCK_NB) != 0) {
    if (lock >= 0) ::close(lock);
    return absl::AlreadyExistsError(
        absl::StrCat("another `enigma up` runs with ", options.data_dir, ": stop it, or choose another --data-dir"));
  }
  if (!options.ready_file.empty()) std::filesystem::remove(options.ready_file, error);
  // Blocked here, before any thread exists, so that every thread inherits it; Watch takes them one by one.
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGINT);
  sigaddset(&signals, SIGTERM);
  sigaddset(&signals, SIGCHLD);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  const absl::Status status = Supervisor(options).Run();
  ::close(lock);
  return status;
}

}  // namespace enigma::cli
