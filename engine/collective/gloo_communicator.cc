#include "engine/collective/gloo_communicator.h"

#include <csignal>
#include <deque>
#include <thread>
#include <utility>

#include <absl/base/thread_annotations.h>
#include <absl/strings/str_cat.h>
#include <absl/synchronization/mutex.h>

#include "base/clock.h"
#include "base/status_macros.h"
#include "engine/collective/ring_message.h"

namespace enigma::engine {
namespace {

constexpr size_t kGlooUnderWayMax = 4096;  // operations
constexpr absl::Duration kLookEvery = absl::Milliseconds(20);
// Gloo may notice before the links do that a rank is gone, but only they can say which, and why.
constexpr absl::Duration kReasonTimeout = absl::Milliseconds(1500);

struct GlooOperation {
  RingCall call;
  std::span<int64_t> values;  // of a sum
  std::span<uint8_t> bytes;   // of a broadcast
};

class GlooCommunicator final : public Communicator {
 public:
  GlooCommunicator(std::unique_ptr<PeerLinks> links, GlooOptions options)
      : links_(std::move(links)), mesh_(links_->rank(), links_->size(), std::move(options)) {
    if (size() < 2) return;
    worker_ = std::thread([this] { Work(); });
    watcher_ = std::thread([this] { Watch(); });
  }

  ~GlooCommunicator() override {
    bool under_way = false;
    {
      absl::MutexLock lock(&mutex_);
      leaving_ = true;
      under_way = !operations_.empty();
    }
    if (under_way) Abort(absl::CancelledError(absl::StrCat("rank ", rank(), " left in the middle of an operation")));
    if (worker_.joinable()) worker_.join();
    if (watcher_.joinable()) watcher_.join();
  }

  uint32_t rank() const override { return links_->rank(); }
  uint32_t size() const override { return links_->size(); }

  absl::Status StartSum(std::span<int64_t> values) override {
    return Start({.call = {.kind = RingKind::kSum, .count = values.size()}, .values = values, .bytes = {}});
  }

  absl::Status Wait() override {
    const absl::Duration start = Clock::System().Monotonic();
    absl::MutexLock lock(&mutex_);
    mutex_.Await(absl::Condition(this, &GlooCommunicator::Settled));
    traffic_.waited_seconds += absl::ToDoubleSeconds(Clock::System().Monotonic() - start);
    return failure_;
  }

  absl::Status Broadcast(std::span<uint8_t> bytes, uint32_t root) override {
    if (root >= size()) return absl::InvalidArgumentError(absl::StrCat("a broadcast from rank ", root, ": no such"));
    const RingCall call = {.kind = RingKind::kBroadcast, .root = root, .count = bytes.size()};
    ENIGMA_RETURN_IF_ERROR(Start({.call = call, .values = {}, .bytes = bytes}));
    return Wait();
  }

  void Abort(const absl::Status& reason) override {
    const absl::Status why = reason.ok() ? absl::CancelledError("aborted") : reason;
    {
      absl::MutexLock lock(&mutex_);
      if (!failure_.ok()) return;
      failure_ = why;
    }
    links_->Abort(why);  // of which the watcher hears, too
  }

  std::vector<uint32_t> Unheard() const override { return links_->Unheard(); }

  Traffic traffic() const override {
    absl::MutexLock lock(&mutex_);
    return traffic_;
  }

 private:
  absl::Status Start(GlooOperation operation);
  void Work();
  absl::Status Connect();
  absl::Status Perform(const GlooOperation& operation);
  absl::Status Announce();
  absl::Status Agree(const RingCall& call);
  absl::Status Explain(const absl::Status& error);
  void Count(const RingCall& call);
  void Watch();

  bool Ended() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return leaving_ || !failure_.ok(); }
  // What was given to this communicator is the caller's again once a call has returned an error.
  bool Broken() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !failure_.ok() && !at_work_; }
  bool Settled() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return operations_.empty() || Broken(); }
  bool HasRoom() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return failure_.ok() ? operations_.size() < kGlooUnderWayMax : !at_work_;
  }
  bool HasWork() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !operations_.empty() || Ended(); }

  const std::unique_ptr<PeerLinks> links_;
  GlooMesh mesh_;
  std::thread worker_;
  std::thread watcher_;

  mutable absl::Mutex mutex_;
  std::deque<GlooOperation> operations_ ABSL_GUARDED_BY(mutex_);  // under way; a deque leaves them where they are
  uint64_t started_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t announced_ ABSL_GUARDED_BY(mutex_) = 0;
  bool at_work_ ABSL_GUARDED_BY(mutex_) = false;  // reads or writes an operation's values
  bool leaving_ ABSL_GUARDED_BY(mutex_) = false;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;  // the worker is
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  Traffic traffic_ ABSL_GUARDED_BY(mutex_);
};

absl::Status GlooCommunicator::Start(GlooOperation operation) {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &GlooCommunicator::HasRoom));
  if (!failure_.ok()) return failure_;
  operation.call.number = started_++;
  if (size() > 1) operations_.push_back(operation);
  return absl::OkStatus();
}

void GlooCommunicator::Work() {
  // Gloo writes to connections that may have ended; its own thread inherits this.
  sigset_t broken_pipe;
  sigemptyset(&broken_pipe);
  sigaddset(&broken_pipe, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);

  absl::Status status = Connect();
  while (status.ok()) {
    const GlooOperation* operation = nullptr;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &GlooCommunicator::HasWork));
      if (Ended()) break;
      operation = &operations_.front();
      at_work_ = true;
    }
    status = Perform(*operation);
    absl::MutexLock lock(&mutex_);
    at_work_ = false;
    if (!status.ok()) break;
    Count(operation->call);
    operations_.pop_front();
  }
  if (!status.ok()) Abort(status);
  absl::MutexLock lock(&mutex_);
  over_ = true;
}

absl::Status GlooCommunicator::Connect() {
  const absl::StatusOr<std::vector<std::vector<uint8_t>>> own = mesh_.Listen();
  if (!own.ok()) {
    return absl::Status(own.status().code(), absl::StrCat("rank ", rank(), ": ", own.status().message()));
  }
  for (uint32_t peer = 0; peer < size(); ++peer) {
    if (peer != rank()) ENIGMA_RETURN_IF_ERROR(links_->Send(peer, (*own)[peer]));
  }
  std::vector<std::vector<uint8_t>> addresses(size());
  for (uint32_t peer = 0; peer < size(); ++peer) {
    if (peer == rank()) continue;
    ENIGMA_RETURN_IF_ERROR(links_->Receive(peer, &addresses[peer]));
    if (addresses[peer].size() != (*own)[peer].size()) {
      return absl::DataLossError(absl::StrCat("rank ", peer, " sent no address: ", addresses[peer].size(), " bytes"));
    }
  }
  return Explain(mesh_.Connect(addresses));
}

absl::Status GlooCommunicator::Perform(const GlooOperation& operation) {
  ENIGMA_RETURN_IF_ERROR(Announce());
  ENIGMA_RETURN_IF_ERROR(Agree(operation.call));
  const auto tag = static_cast<uint32_t>(operation.call.number);
  return Explain(operation.call.kind == RingKind::kSum ? mesh_.Sum(operation.values, tag)
                                                       : mesh_.Broadcast(operation.bytes, operation.call.root, tag));
}

// Tells everybody what has been started here, also of what comes later, so that it need not be waited for then.
absl::Status GlooCommunicator::Announce() {
  std::vector<RingCall> calls;
  {
    absl::MutexLock lock(&mutex_);
    const uint64_t oldest = started_ - operations_.size();
    for (; announced_ < started_; ++announced_) calls.push_back(operations_[announced_ - oldest].call);
  }
  for (const RingCall& call : calls) {
    std::vector<uint8_t> message(kRingHeaderBytes);
    EncodeRingHeader({.call = call}, message);
    for (uint32_t peer = 0; peer < size(); ++peer) {
      if (peer != rank()) ENIGMA_RETURN_IF_ERROR(links_->Send(peer, message));
    }
  }
  return absl::OkStatus();
}

// Waits until everybody is there.
absl::Status GlooCommunicator::Agree(const RingCall& call) {
  for (uint32_t peer = 0; peer < size(); ++peer) {
    if (peer == rank()) continue;
    std::vector<uint8_t> message;
    ENIGMA_RETURN_IF_ERROR(links_->Receive(peer, &message));
    const absl::StatusOr<RingHeader> header = ParseRingHeader(message);
    if (!header.ok()) return absl::DataLossError(absl::StrCat("rank ", peer, " sent ", header.status().message()));
    if (header->call != call) {
      return absl::FailedPreconditionError(
          absl::StrCat("rank ", peer, " is at ", header->call.ToText(), ", rank ", rank(), " at ", call.ToText()));
    }
  }
  return absl::OkStatus();
}

// Of Gloo's errors, which say little.
absl::Status GlooCommunicator::Explain(const absl::Status& error) {
  if (error.ok()) return error;
  const absl::Status reason = links_->AwaitFailure(kReasonTimeout);
  if (!reason.ok()) return reason;
  return absl::Status(error.code(), absl::StrCat("rank ", rank(), ": ", error.message()));
}

// Bytes as Gloo's ring and its tree move them, without what it adds.
void GlooCommunicator::Count(const RingCall& call) {
  const uint64_t headers = uint64_t{size() - 1} * kRingHeaderBytes;
  uint64_t sent = headers;
  uint64_t received = headers;
  if (call.kind == RingKind::kSum) {
    const uint64_t bytes = 2 * call.count * sizeof(int64_t) * (size() - 1) / size();
    sent += bytes;
    received += bytes;
  } else {
    const uint32_t from_root = (rank() + size() - call.root) % size();
    if (from_root != 0) received += call.count;
    // In round i those below 2^i, which have it, send to those 2^i further on.
    for (uint32_t reach = 1; reach < size(); reach *= 2) {
      if (from_root < reach && from_root + reach < size()) sent += call.count;
    }
  }
  traffic_.sent_bytes += sent;
  traffic_.received_bytes += received;
}

void GlooCommunicator::Watch() {
  while (true) {
    const absl::Status failure = links_->AwaitFailure(kLookEvery);
    if (!failure.ok()) {
      Abort(failure);
      mesh_.Interrupt();
      return;
    }
    absl::MutexLock lock(&mutex_);
    if (over_) return;
  }
}

}  // namespace

std::unique_ptr<Communicator> MakeGlooCommunicator(std::unique_ptr<PeerLinks> links, GlooOptions options) {
  return std::make_unique<GlooCommunicator>(std::move(links), std::move(options));
}

}  // namespace enigma::engine
