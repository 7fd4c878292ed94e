#include "engine/collective/ring_communicator.h"

#include <cstring>
#include <deque>
#include <thread>
#include <utility>

#include <absl/base/thread_annotations.h>
#include <absl/strings/str_cat.h>
#include <absl/synchronization/mutex.h>

#include "base/clock.h"
#include "base/status_macros.h"
#include "engine/collective/packed_integers.h"
#include "engine/collective/ring_message.h"

namespace enigma::engine {
namespace {

constexpr size_t kUnderWayMax = 4096;  // operations
// Messages that wait to be passed on as they came; later ones are packed again from the values.
constexpr size_t kKeptMax = 16;

// One call under way. Constant but for what says otherwise. Which thread touches which values when is settled by the
// ring itself: a chunk is written only after it was sent, because what is written depends on that.
struct Operation {
  Operation(const RingCall& what, uint32_t rank, uint32_t size)
      : call(what), plan(what, rank, size), chunks_received(plan.steps()) {
    for (uint32_t step = 0; step < plan.steps(); ++step) {
      if (plan.Sends(step)) sends_left += plan.ChunksSent(step);
      if (plan.Receives(step)) receives_left += plan.ChunksReceived(step);
    }
  }

  const RingCall call;
  const RingPlan plan;
  std::span<int64_t> values;  // of a sum
  std::span<uint8_t> bytes;   // of a broadcast
  // Guarded by the communicator's mutex.
  uint64_t sends_left = 0;
  uint64_t receives_left = 0;
  std::vector<uint32_t> chunks_received;  // by step; they come in order
};

class RingCommunicator final : public Communicator {
 public:
  explicit RingCommunicator(std::unique_ptr<PeerLinks> links) : links_(std::move(links)) {
    if (size() < 2) return;
    sender_ = std::thread([this] { SendAll(); });
    receiver_ = std::thread([this] { ReceiveAll(); });
  }

  ~RingCommunicator() override {
    bool under_way = false;
    {
      absl::MutexLock lock(&mutex_);
      leaving_ = true;
      under_way = !operations_.empty();
    }
    if (under_way) Abort(absl::CancelledError(absl::StrCat("rank ", rank(), " left in the middle of an operation")));
    if (sender_.joinable()) sender_.join();
    if (receiver_.joinable()) receiver_.join();
  }

  uint32_t rank() const override { return links_->rank(); }
  uint32_t size() const override { return links_->size(); }

  absl::Status StartSum(std::span<int64_t> values) override {
    return Start({.kind = RingKind::kSum, .count = values.size()}, values, {});
  }

  absl::Status Wait() override {
    const absl::Duration start = Clock::System().Monotonic();
    absl::MutexLock lock(&mutex_);
    waiting_ = true;
    mutex_.Await(absl::Condition(this, &RingCommunicator::Settled));
    waiting_ = false;
    traffic_.waited_seconds += absl::ToDoubleSeconds(Clock::System().Monotonic() - start);
    return failure_;
  }

  absl::Status Broadcast(std::span<uint8_t> bytes, uint32_t root) override {
    if (root >= size()) return absl::InvalidArgumentError(absl::StrCat("a broadcast from rank ", root, ": no such"));
    ENIGMA_RETURN_IF_ERROR(Start({.kind = RingKind::kBroadcast, .root = root, .count = bytes.size()}, {}, bytes));
    return Wait();
  }

  void Abort(const absl::Status& reason) override {
    const absl::Status why = reason.ok() ? absl::CancelledError("aborted") : reason;
    {
      absl::MutexLock lock(&mutex_);
      if (!failure_.ok()) return;
      failure_ = why;
    }
    links_->Abort(why);
  }

  std::vector<uint32_t> Unheard() const override { return links_->Unheard(); }

  Traffic traffic() const override {
    absl::MutexLock lock(&mutex_);
    return traffic_;
  }

 private:
  // A chunk to be sent, or the rest of a segment from that chunk on.
  struct Outgoing {
    Operation* operation = nullptr;
    uint32_t step = 0;
    uint32_t chunk = 0;
    std::vector<uint8_t> message;  // with a header to be written over; empty: pack it
  };

  uint32_t next() const { return (rank() + 1) % size(); }
  uint32_t previous() const { return (rank() + size() - 1) % size(); }

  absl::Status Start(RingCall call, std::span<int64_t> values, std::span<uint8_t> bytes);
  void SendAll();
  std::vector<uint8_t> MessageOf(Outgoing outgoing) const;
  void ReceiveAll();
  absl::Status ReceiveOne();
  absl::StatusOr<Operation*> Admit(const RingHeader& header);
  absl::Status Take(const Operation& operation, const RingHeader& header, std::span<const uint8_t> payload);
  void Received(Operation& operation, const RingHeader& header, std::vector<uint8_t> message, bool taken);

  bool Ended() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return leaving_ || !failure_.ok(); }
  // What was given to this communicator is the caller's again once a call has returned an error.
  bool Broken() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return !failure_.ok() && at_work_ == 0; }
  bool Settled() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return operations_.empty() || Broken(); }
  bool HasRoom() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return failure_.ok() ? operations_.size() < kUnderWayMax : at_work_ == 0;
  }
  bool HasToSend() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return !passing_.empty() || !beginning_.empty() || Ended();
  }
  bool HasToReceive() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { return receives_left_ > 0 || Ended(); }
  void Retire() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    while (!operations_.empty() && operations_.front().sends_left == 0 && operations_.front().receives_left == 0) {
      operations_.pop_front();
    }
  }

  const std::unique_ptr<PeerLinks> links_;
  std::thread sender_;
  std::thread receiver_;

  mutable absl::Mutex mutex_;
  std::deque<Operation> operations_ ABSL_GUARDED_BY(mutex_);  // under way; a deque leaves them where they are
  uint64_t started_ ABSL_GUARDED_BY(mutex_) = 0;
  uint64_t receives_left_ ABSL_GUARDED_BY(mutex_) = 0;  // of all operations
  // What others wait for goes before what begins.
  std::deque<Outgoing> passing_ ABSL_GUARDED_BY(mutex_);
  std::deque<Outgoing> beginning_ ABSL_GUARDED_BY(mutex_);
  size_t kept_ ABSL_GUARDED_BY(mutex_) = 0;  // messages in passing_
  int at_work_ ABSL_GUARDED_BY(mutex_) = 0;  // threads that read or write an operation's values
  bool waiting_ ABSL_GUARDED_BY(mutex_) = false;
  bool leaving_ ABSL_GUARDED_BY(mutex_) = false;
  absl::Status failure_ ABSL_GUARDED_BY(mutex_);
  Traffic traffic_ ABSL_GUARDED_BY(mutex_);
};

absl::Status RingCommunicator::Start(RingCall call, std::span<int64_t> values, std::span<uint8_t> bytes) {
  absl::MutexLock lock(&mutex_);
  mutex_.Await(absl::Condition(this, &RingCommunicator::HasRoom));
  if (!failure_.ok()) return failure_;
  call.number = started_++;
  if (size() < 2) return absl::OkStatus();
  Operation& operation = operations_.emplace_back(call, rank(), size());
  operation.values = values;
  operation.bytes = bytes;
  receives_left_ += operation.receives_left;
  if (operation.plan.Sends(0)) beginning_.push_back({.operation = &operation, .step = 0, .chunk = 0, .message = {}});
  return absl::OkStatus();
}

void RingCommunicator::SendAll() {
  while (true) {
    Outgoing outgoing;
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &RingCommunicator::HasToSend));
      if (Ended()) return;
      if (!passing_.empty()) {
        outgoing = std::move(passing_.front());
        passing_.pop_front();
        if (!outgoing.message.empty()) --kept_;
      } else {
        outgoing = beginning_.front();
        if (++beginning_.front().chunk == outgoing.operation->plan.ChunksSent(0)) beginning_.pop_front();
      }
      ++at_work_;
    }
    Operation& operation = *outgoing.operation;
    std::vector<uint8_t> message = MessageOf(std::move(outgoing));
    const size_t bytes = message.size();
    const absl::Status sent = links_->Send(next(), std::move(message));
    {
      absl::MutexLock lock(&mutex_);
      --at_work_;
      if (sent.ok()) {
        traffic_.sent_bytes += bytes;
        --operation.sends_left;
        Retire();
      }
    }
    if (!sent.ok()) return Abort(sent);
  }
}

std::vector<uint8_t> RingCommunicator::MessageOf(Outgoing outgoing) const {
  const Operation& operation = *outgoing.operation;
  std::vector<uint8_t> message = std::move(outgoing.message);
  if (message.empty()) {
    const RingPlan::Range range = operation.plan.SentChunk(outgoing.step, outgoing.chunk);
    if (operation.call.kind == RingKind::kSum) {
      message.reserve(kRingHeaderBytes + PackedBytesMax(range.count));
      message.resize(kRingHeaderBytes);
      PackIntegers(operation.values.subspan(range.begin, range.count), message);
    } else {
      const std::span<const uint8_t> bytes = operation.bytes.subspan(range.begin, range.count);
      message.resize(kRingHeaderBytes);
      message.insert(message.end(), bytes.begin(), bytes.end());
    }
  }
  EncodeRingHeader({.call = operation.call, .step = outgoing.step, .chunk = outgoing.chunk}, message);
  return message;
}

void RingCommunicator::ReceiveAll() {
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      mutex_.Await(absl::Condition(this, &RingCommunicator::HasToReceive));
      if (Ended()) return;
    }
    if (const absl::Status received = ReceiveOne(); !received.ok()) return Abort(received);
  }
}

absl::Status RingCommunicator::ReceiveOne() {
  std::vector<uint8_t> message;
  ENIGMA_RETURN_IF_ERROR(links_->Receive(previous(), &message));
  const absl::StatusOr<RingHeader> header = ParseRingHeader(message);
  if (!header.ok()) {
    return absl::DataLossError(absl::StrCat("rank ", previous(), " sent ", header.status().message()));
  }
  ENIGMA_ASSIGN_OR_RETURN(Operation * operation, Admit(*header));
  const absl::Status taken = Take(*operation, *header, std::span(message).subspan(kRingHeaderBytes));
  Received(*operation, *header, std::move(message), taken.ok());
  if (taken.ok()) return taken;
  return absl::DataLossError(absl::StrCat("rank ", previous(), " sent ", taken.message()));
}

// The operation that a chunk belongs to, once this rank has started it.
absl::StatusOr<Operation*> RingCommunicator::Admit(const RingHeader& header) {
  const uint64_t number = header.call.number;
  absl::MutexLock lock(&mutex_);
  // Links keep order. So one that waits before it goes on, as this rank does, has sent all of what this one waits for.
  const auto settled = [&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    return number < started_ || (waiting_ && receives_left_ > 0) || Ended();
  };
  mutex_.Await(absl::Condition(&settled));
  if (Ended()) return failure_.ok() ? absl::CancelledError("left") : failure_;
  if (number >= started_) {
    return absl::FailedPreconditionError(absl::StrCat("rank ", previous(), " is at ", header.call.ToText(),
                                                      ", where rank ", rank(), " waits for what was before"));
  }
  const uint64_t oldest = started_ - operations_.size();
  if (number < oldest) {
    return absl::DataLossError(
        absl::StrCat("rank ", previous(), " sent more of ", header.call.ToText(), ", which is over"));
  }
  Operation& operation = operations_[number - oldest];
  if (operation.call != header.call) {
    return absl::FailedPreconditionError(absl::StrCat("rank ", previous(), " is at ", header.call.ToText(), ", rank ",
                                                      rank(), " at ", operation.call.ToText()));
  }
  if (!operation.plan.Receives(header.step) || header.chunk != operation.chunks_received[header.step] ||
      header.chunk >= operation.plan.ChunksReceived(header.step)) {
    return absl::DataLossError(absl::StrCat("rank ", previous(), " sent chunk ", header.chunk, " of step ", header.step,
                                            " out of turn in ", header.call.ToText()));
  }
  ++at_work_;
  return &operation;
}

absl::Status RingCommunicator::Take(const Operation& operation, const RingHeader& header,
                                    std::span<const uint8_t> payload) {
  const RingPlan::Range range = operation.plan.ReceivedChunk(header.step, header.chunk);
  if (operation.call.kind == RingKind::kSum) {
    const std::span<int64_t> values = operation.values.subspan(range.begin, range.count);
    return operation.plan.Adds(header.step) ? UnpackAndAddIntegers(payload, values) : UnpackIntegers(payload, values);
  }
  if (payload.size() != range.count) {
    return absl::DataLossError(absl::StrCat(payload.size(), " bytes of a broadcast instead of ", range.count));
  }
  if (!payload.empty()) std::memcpy(operation.bytes.data() + range.begin, payload.data(), payload.size());
  return absl::OkStatus();
}

void RingCommunicator::Received(Operation& operation, const RingHeader& header, std::vector<uint8_t> message,
                                bool taken) {
  absl::MutexLock lock(&mutex_);
  --at_work_;
  if (!taken) return;
  traffic_.received_bytes += message.size();
  ++operation.chunks_received[header.step];
  --operation.receives_left;
  --receives_left_;
  if (operation.plan.Sends(header.step + 1) && header.chunk < operation.plan.ChunksSent(header.step + 1)) {
    Outgoing outgoing{.operation = &operation, .step = header.step + 1, .chunk = header.chunk, .message = {}};
    const bool same = operation.plan.SentChunk(header.step + 1, header.chunk).count ==
                      operation.plan.ReceivedChunk(header.step, header.chunk).count;
    if (same && !operation.plan.Adds(header.step) && kept_ < kKeptMax) {
      outgoing.message = std::move(message);
      ++kept_;
    }
    passing_.push_back(std::move(outgoing));
  }
  Retire();
}

}  // namespace

std::unique_ptr<Communicator> MakeRingCommunicator(std::unique_ptr<PeerLinks> links) {
  return std::make_unique<RingCommunicator>(std::move(links));
}

}  // namespace enigma::engine
