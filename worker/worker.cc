#include "worker/worker.h"

#include <unistd.h>

#include <filesystem>
#include <future>
#include <system_error>
#include <thread>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/counter_random.h"
#include "base/status_macros.h"
#include "discovery/merged_source.h"
#include "discovery/static_source.h"
#include "discovery/udp_beacon_source.h"
#include "engine/kernels/cpu_target.h"
#include "rpc/private_file.h"
#include "rpc/server.h"
#include "telemetry/exposer.h"
#include "telemetry/log.h"
#include "worker/capability/host_turn.h"
#include "worker/membership/attendance.h"
#include "worker/membership/enrolment.h"
#include "worker/service/worker_server.h"

namespace enigma::worker {
namespace {

std::string HostName() {
  char name[256] = {};
  return ::gethostname(name, sizeof(name) - 1) == 0 ? name : "unknown";
}

constexpr absl::Duration kLookEvery = absl::Milliseconds(20);
// How long a worker lets others of its host measure first: several on one machine that stream its memory at once would
// each find a part of its speed, by chance very different parts, and placement would cut models accordingly.
constexpr absl::Duration kMeasureWithin = absl::Seconds(10);

bool IsWildcard(const std::string& host) { return host.empty() || host == "0.0.0.0" || host == "::" || host == "[::]"; }

// Without a certificate a node still keeps one name from start to start.
absl::StatusOr<std::string> InsecureNodeId(const std::string& data_dir) {
  const std::string path = data_dir + "/insecure_node_id";
  absl::StatusOr<std::string> known = ReadPrivateFile(path);
  if (known.ok() && CheckNodeId(*known).ok()) return known;
  const std::string made = MakeNodeId();
  ENIGMA_RETURN_IF_ERROR(WritePrivateFile(path, made));
  return made;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Worker>> Worker::Create(Options options, const Clock& clock) {
  if (options.data_dir.empty()) return absl::InvalidArgumentError("a worker needs a data directory (--data-dir)");
  std::error_code error;
  std::filesystem::create_directories(options.data_dir, error);
  if (error) {
    return absl::FailedPreconditionError(
        absl::StrCat("cannot make the data directory ", options.data_dir, ": ", error.message()));
  }
  if (options.threads < 0) return absl::InvalidArgumentError("threads cannot be negative");
  if (options.threads == 0) options.threads = static_cast<int>(std::max(1U, std::thread::hardware_concurrency()));
  if (!options.udp && options.coordinators.empty()) {
    return absl::InvalidArgumentError("with UDP discovery off, a worker needs the address of a coordinator");
  }
  std::unique_ptr<Worker> worker(new Worker(std::move(options), clock));
  ENIGMA_RETURN_IF_ERROR(worker->LoadIdentityOrToken());
  return worker;
}

Worker::~Worker() {
  Stop();
  std::thread draining;
  {
    absl::MutexLock lock(&mutex_);
    draining.swap(draining_);
  }
  if (draining.joinable()) draining.join();
}

absl::Status Worker::LoadIdentityOrToken() {
  if (options_.insecure) return absl::OkStatus();
  if (!options_.token.empty()) {
    ENIGMA_ASSIGN_OR_RETURN(token_, ParseJoinToken(options_.token));
  }
  absl::StatusOr<NodeIdentity> identity = LoadIdentity(IdentityPath(options_.data_dir), clock_.Now());
  if (absl::IsNotFound(identity.status())) {
    if (token_) return absl::OkStatus();
    return absl::FailedPreconditionError(
        absl::StrCat("this worker has not joined a cluster (", options_.data_dir,
                     " holds no identity): pass --token, made by `enigma token create` on the coordinator's machine"));
  }
  ENIGMA_RETURN_IF_ERROR(identity.status());
  if (token_ && token_->cluster_id != identity->cluster_id) {
    return absl::FailedPreconditionError(absl::StrCat(options_.data_dir, " belongs to cluster ", identity->cluster_id,
                                                      ", the token to cluster ", token_->cluster_id,
                                                      "; use another --data-dir for another cluster"));
  }
  identity_ = *std::move(identity);
  return absl::OkStatus();
}

absl::Status Worker::Run() {
  // Ports first: one that cannot be had is told at once, not after joining.
  std::unique_ptr<MetricsExposer> exposer;
  if (options_.metrics_port >= 0) {
    ENIGMA_ASSIGN_OR_RETURN(
        exposer, MetricsExposer::Start({.host = options_.metrics_host, .port = options_.metrics_port}, metrics_));
    metrics_port_ = exposer->port();
  }
  ENIGMA_RETURN_IF_ERROR(CheckCanListen(options_.host, options_.port));
  ENIGMA_RETURN_IF_ERROR(engine::CpuSupported());
  ENIGMA_RETURN_IF_ERROR(ObtainIdentity());
  return Serve();
}

void Worker::Stop() {
  absl::MutexLock lock(&mutex_);
  if (!stopping_.HasBeenNotified()) stopping_.Notify();
  if (attendance_ != nullptr) attendance_->Stop();
}

void Worker::Drain(absl::Duration timeout) {
  if (leaving_.exchange(true)) return;
  LogInfo("leaving: what runs here has {} to end", absl::FormatDuration(timeout));
  absl::MutexLock lock(&mutex_);
  draining_ = std::thread([this, timeout] {
    AwaitUnloaded(timeout);
    Stop();
  });
}

void Worker::AwaitUnloaded(absl::Duration timeout) const {
  const absl::Duration deadline = clock_.Monotonic() + timeout;
  while (!stopping_.WaitForNotificationWithTimeout(kLookEvery)) {
    absl::MutexLock lock(&mutex_);
    const size_t stages = server_ == nullptr ? 0 : server_->stage_count();
    const size_t ranks = server_ == nullptr ? 0 : server_->ranks().size();
    if (stages + ranks == 0) return;
    if (clock_.Monotonic() < deadline) continue;
    LogWarn("the time to leave is over; {} stages and {} ranks are still here, and what runs in them is ended", stages,
            ranks);
    return;
  }
}

std::string Worker::node_id() const {
  absl::MutexLock lock(&mutex_);
  return node_id_;
}

bool Worker::connected() const {
  absl::MutexLock lock(&mutex_);
  return attendance_ != nullptr && attendance_->connected();
}

absl::Status Worker::ObtainIdentity() {
  std::string node_id;
  if (options_.insecure) {
    LogWarn("--insecure: no encryption, and everybody who reaches this port is believed");
    ENIGMA_ASSIGN_OR_RETURN(node_id, InsecureNodeId(options_.data_dir));
  } else {
    if (!identity_) {
      ENIGMA_ASSIGN_OR_RETURN(const std::unique_ptr<NodeSource> source, MakeSource(/*joined=*/false, 0));
      ENIGMA_ASSIGN_OR_RETURN(identity_, Enrol(*token_, IdentityPath(options_.data_dir), *source, stopping_, clock_));
    }
    node_id = identity_->node_id;
  }
  absl::MutexLock lock(&mutex_);
  node_id_ = node_id;
  return absl::OkStatus();
}

absl::StatusOr<std::unique_ptr<NodeSource>> Worker::MakeSource(bool joined, int announced_port) {
  std::vector<std::unique_ptr<NodeSource>> sources;
  if (!options_.coordinators.empty()) {
    ENIGMA_ASSIGN_OR_RETURN(sources.emplace_back(), StaticSource::Create({.seeds = options_.coordinators}));
  }
  if (options_.udp) {
    UdpBeaconSource::Options udp;
    udp.role = Role::kWorker;
    udp.node_id = node_id();
    udp.insecure = options_.insecure;
    udp.grpc_port = announced_port;
    udp.port = options_.udp_port;
    udp.interfaces = options_.interfaces;
    udp.metrics = &metrics_;
    if (joined && identity_) udp.identity = *identity_;
    if (!joined) {
      udp.cluster_id = token_->cluster_id;
      udp.ca_pin = token_->ca_pin;
      if (udp.node_id.empty()) udp.node_id = MakeNodeId();
    }
    if (options_.insecure) udp.cluster_id = std::string(kInsecureClusterId);
    ENIGMA_ASSIGN_OR_RETURN(sources.emplace_back(), UdpBeaconSource::Create(std::move(udp), clock_));
  }
  return std::make_unique<MergedSource>(std::move(sources));
}

absl::StatusOr<std::vector<std::string>> Worker::Addresses() const {
  if (!options_.advertise.empty()) return options_.advertise;
  if (!IsWildcard(options_.host)) return std::vector<std::string>{options_.host};
  return ReachableAddresses(options_.interfaces);
}

absl::Status Worker::Serve() {
  ENIGMA_ASSIGN_OR_RETURN(const std::vector<std::string> addresses, Addresses());
  v1::WorkerHello hello;
  hello.set_node_id(node_id());
  hello.set_host_name(HostName());
  hello.set_version(ENIGMA_VERSION);
  hello.mutable_addresses()->Assign(addresses.begin(), addresses.end());
  hello.set_incarnation(SystemRandom64());
  hello.set_metrics_port(static_cast<uint32_t>(metrics_port_.load()));

  std::unique_ptr<WorkerServer> server;
  Attendance membership({.hello =
                             [&] {
                               v1::WorkerHello now = hello;
                               now.set_grpc_port(static_cast<uint32_t>(server->port()));
                               *now.mutable_capability() = CapabilityNow(*server);
                               return now;
                             },
                         .describe =
                             [&](v1::Heartbeat& heartbeat) {
                               server->Describe(heartbeat);
                               heartbeat.set_leaving(leaving_);
                             },
                         // Moves no byte when the stages come back: their pieces stay in the cache.
                         .on_disconnected = [&] { server->UnloadAll(); },
                         .identity = identity()},
                        clock_);
  ENIGMA_ASSIGN_OR_RETURN(
      server,
      WorkerServer::Start({.host = options_.host,
                           .port = options_.port,
                           .node_id = node_id(),
                           .identity = identity(),
                           .layers_dir = options_.data_dir + "/layers",
                           .jobs_dir = options_.data_dir + "/jobs",
                           .trusted_network = options_.trusted_network,
                           .threads = options_.threads,
                           .memory = Memory(),
                           .on_failure = [&](const v1::ReplicaFailure& failure) { membership.Report(failure); }},
                          metrics_));
  port_ = server->port();
  LogInfo("worker {} listens on {}:{}", node_id(), options_.host, port_.load());
  ENIGMA_ASSIGN_OR_RETURN(const std::unique_ptr<NodeSource> source, MakeSource(/*joined=*/true, port_));
  // A second or more, on a busy machine; the node is listed meanwhile, and nothing is placed on it.
  absl::Notification over;
  auto measuring = std::async(std::launch::async, [&] { return Measure(membership, *server, over); });
  const absl::Status ended = Attend(membership, *server, *source);
  over.Notify();
  const absl::Status measured = measuring.get();
  server.reset();  // before the membership that its stages report to
  return measured.ok() ? ended : measured;
}

absl::Status Worker::Measure(Attendance& membership, const WorkerServer& server, const absl::Notification& over) {
  absl::StatusOr<v1::Capability> capability;
  {
    const HostTurn turn = HostTurn::Await("enigma-measures", kMeasureWithin, over);
    if (over.HasBeenNotified()) return absl::OkStatus();
    capability = MeasureCapability(options_.threads, Memory());
  }
  if (!capability.ok()) {
    membership.Stop();
    return capability.status();
  }
  LogInfo("measured: {:.2f} GB/s in decode, {:.1f} GFLOP/s in prefill with {} threads ({})",
          capability->memory_bytes_per_second() / 1e9, capability->flops_per_second() / 1e9, options_.threads,
          capability->simd_target());
  {
    absl::MutexLock lock(&mutex_);
    measured_ = *std::move(capability);
  }
  membership.Report(CapabilityNow(server));
  return absl::OkStatus();
}

v1::Capability Worker::CapabilityNow(const WorkerServer& server) const {
  v1::Capability capability = DescribeMachine(options_.threads, Memory());
  {
    absl::MutexLock lock(&mutex_);
    if (measured_) capability = *measured_;
  }
  capability.set_memory_free_bytes(server.FreeMemoryBytes());
  capability.set_disk_free_bytes(server.FreeDiskBytes());
  capability.set_trusted_network(options_.trusted_network);
  return capability;
}

absl::Status Worker::Attend(Attendance& membership, WorkerServer& server, const NodeSource& source) {
  {
    absl::MutexLock lock(&mutex_);
    attendance_ = &membership;
    server_ = &server;
    if (stopping_.HasBeenNotified()) membership.Stop();
  }
  const absl::Status ended = membership.Run(source);
  absl::MutexLock lock(&mutex_);
  attendance_ = nullptr;
  server_ = nullptr;
  return ended;
}

}  // namespace enigma::worker
