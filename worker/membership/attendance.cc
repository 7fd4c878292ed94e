#include "worker/membership/attendance.h"

#include <algorithm>
#include <optional>
#include <thread>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "rpc/channel.h"
#include "rpc/clock_skew.h"
#include "rpc/status_conversion.h"
#include "telemetry/log.h"
#include "worker/connection/first_ready.h"
#include "worker/membership/verdict.h"

namespace enigma::worker {
namespace {

constexpr absl::Duration kConnectTimeout = absl::Seconds(2);
constexpr absl::Duration kLogEvery = absl::Seconds(10);
constexpr absl::Duration kQuietAtFirst = absl::Seconds(2);
constexpr size_t kFailuresMax = 256;

}  // namespace

Attendance::Attendance(Options options, const Clock& clock) : options_(std::move(options)), clock_(clock) {}

absl::Status Attendance::Run(const NodeSource& source) {
  absl::Duration pause = options_.reconnect_first;
  uint64_t version = 0;
  last_logged_ = clock_.Monotonic() - kLogEvery + kQuietAtFirst;
  while (!stopping_.HasBeenNotified()) {
    absl::Status ended;
    const absl::StatusOr<std::shared_ptr<grpc::Channel>> channel = FindCoordinator(source);
    bool was_connected = false;
    if (channel.ok()) {
      ended = Attend(*channel);
      was_connected = connected_.exchange(false);
      if (was_connected) options_.on_disconnected();
    } else {
      ended = channel.status();
    }
    if (stopping_.HasBeenNotified()) break;
    if (IsFinal(ended)) return ended;
    LogWaiting(ended);
    pause = was_connected ? options_.reconnect_first : std::min(pause * 2, options_.reconnect_most);
    version = source.WaitForChange(version, pause);
  }
  return absl::OkStatus();
}

void Attendance::Stop() {
  if (!stopping_.HasBeenNotified()) stopping_.Notify();
  absl::MutexLock lock(&mutex_);
  if (context_ != nullptr) context_->TryCancel();
}

void Attendance::Report(const v1::ReplicaFailure& failure) {
  absl::MutexLock lock(&mutex_);
  if (failures_.size() < kFailuresMax) failures_.push_back(failure);
}

void Attendance::Report(const v1::Capability& capability) {
  absl::MutexLock lock(&mutex_);
  capability_ = capability;
}

absl::StatusOr<std::shared_ptr<grpc::Channel>> Attendance::FindCoordinator(const NodeSource& source) {
  const std::vector<std::string> endpoints = CoordinatorEndpoints(source);
  std::vector<std::shared_ptr<grpc::Channel>> channels;
  for (const std::string& endpoint : endpoints) {
    channels.push_back(MakeChannel(endpoint, options_.identity, ExpectedPeer::Coordinator()));
  }
  if (const std::optional<size_t> ready = FirstReady(channels, kConnectTimeout)) return channels[*ready];
  Verdict verdict;
  for (const std::string& endpoint : endpoints) {
    if (stopping_.HasBeenNotified()) return absl::CancelledError("stopping");
    verdict.Add(DiagnoseChannel(endpoint, options_.identity, ExpectedPeer::Coordinator(), clock_.Now()));
  }
  return verdict.Sum();
}

absl::Status Attendance::Attend(const std::shared_ptr<grpc::Channel>& channel) {
  grpc::ClientContext context;
  {
    absl::MutexLock lock(&mutex_);
    if (stopping_.HasBeenNotified()) return absl::CancelledError("stopping");
    context_ = &context;
    failures_.clear();
    capability_.reset();
  }
  const auto stub = v1::Membership::NewStub(channel);
  const std::unique_ptr<Stream> stream = stub->Attend(&context);
  const absl::Status served = Serve(*stream);
  // A stream that the coordinator ended has a status that says why; to cancel it would lose that.
  if (!served.ok()) context.TryCancel();
  const absl::Status finished = FromGrpc(stream->Finish());
  absl::MutexLock lock(&mutex_);
  context_ = nullptr;
  if (!served.ok()) return served;
  return finished.ok() || absl::IsCancelled(finished) ? absl::UnavailableError("the coordinator ended the stream")
                                                      : finished;
}

// OK: the stream ended, Finish says why.
absl::Status Attendance::Serve(Stream& stream) {
  v1::WorkerReport report;
  *report.mutable_hello() = options_.hello();
  v1::CoordinatorOrder order;
  if (!stream.Write(report) || !stream.Read(&order)) return absl::OkStatus();
  if (order.has_leave()) return absl::AbortedError(order.leave());
  if (!order.has_welcome()) return absl::UnavailableError("the coordinator did not say welcome");
  const v1::Welcome& welcome = order.welcome();
  const std::string skew = DescribeClockSkew(clock_.Now(), absl::FromUnixMillis(welcome.server_time_unix_ms()));
  if (!skew.empty()) LogWarn("{}; certificates and beacons depend on clocks that agree", skew);
  const absl::Duration every = absl::Milliseconds(std::clamp<uint32_t>(welcome.heartbeat_ms(), 20, 10000));
  connected_ = true;
  LogInfo("connected to the coordinator; a heartbeat every {}", absl::FormatDuration(every));

  std::atomic<bool> ended{false};
  std::thread heartbeats([&] { SendHeartbeats(stream, every, ended); });
  absl::Status left;
  while (stream.Read(&order)) {
    if (!order.has_leave()) continue;
    left = absl::AbortedError(absl::StrCat("the coordinator asked this node to leave: ", order.leave()));
    break;
  }
  ended = true;
  heartbeats.join();
  return left;
}

void Attendance::SendHeartbeats(Stream& stream, absl::Duration every, const std::atomic<bool>& ended) {
  for (uint64_t sequence = 0; !ended; ++sequence) {
    if (!SendOne(stream, sequence)) return;  // the reader sees the broken stream, too
    // News must not wait for the next beat.
    absl::MutexLock lock(&mutex_);
    const auto wake = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      return !failures_.empty() || capability_.has_value();
    };
    mutex_.AwaitWithTimeout(absl::Condition(&wake), every);
  }
}

bool Attendance::SendOne(Stream& stream, uint64_t sequence) {
  std::vector<v1::ReplicaFailure> failures;
  std::optional<v1::Capability> capability;
  {
    absl::MutexLock lock(&mutex_);
    failures.swap(failures_);
    capability.swap(capability_);
  }
  if (capability) {
    v1::WorkerReport report;
    *report.mutable_capability() = *std::move(capability);
    if (!stream.Write(report)) return false;
  }
  for (v1::ReplicaFailure& failure : failures) {
    v1::WorkerReport report;
    *report.mutable_failure() = std::move(failure);
    if (!stream.Write(report)) return false;
  }
  v1::WorkerReport report;
  v1::Heartbeat& heartbeat = *report.mutable_heartbeat();
  options_.describe(heartbeat);
  heartbeat.set_sequence(sequence);
  heartbeat.set_sent_unix_ms(absl::ToUnixMillis(clock_.Now()));
  return stream.Write(report);
}

void Attendance::LogWaiting(const absl::Status& why) {
  const absl::Duration now = clock_.Monotonic();
  if (now - last_logged_ < kLogEvery) return;
  last_logged_ = now;
  LogWarn("not connected to a coordinator: {}; trying on", ToString(why.message()));
}

}  // namespace enigma::worker
