#include "engine/collective/gloo_mesh.h"

#include <gloo/allreduce.h>
#include <gloo/broadcast.h>
#include <gloo/common/error.h>
#include <gloo/context.h>
#include <gloo/transport/context.h>
#include <gloo/transport/tcp/device.h>

#include <algorithm>
#include <exception>
#include <functional>
#include <set>
#include <stdexcept>
#include <string_view>
#include <utility>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/collective/local_address.h"

namespace enigma::engine {
namespace {

using Milliseconds = std::chrono::milliseconds;
using ::gloo::transport::UnboundBuffer;

constexpr size_t kPieceBytes = 256 << 10;      // of a sum
constexpr size_t kBroadcastBytes = 256 << 10;  // of a broadcast
constexpr int kConnectFactor = 5;              // by which Gloo stretches a pair's timeout for connecting

Milliseconds ToMilliseconds(absl::Duration duration) {
  return Milliseconds(std::max<int64_t>(absl::ToInt64Milliseconds(duration), 1));
}

// Without the place in Gloo's source that it begins with.
absl::Status GlooError(std::string_view what) {
  if (const size_t end = what.find("] "); what.starts_with('[') && end != std::string_view::npos) {
    what.remove_prefix(end + 2);
  }
  return absl::UnavailableError(absl::StrCat("Gloo: ", ToAbsl(what)));
}

absl::Status Guarded(const std::function<void()>& call) {
  try {
    call();
    return absl::OkStatus();
  } catch (const std::exception& error) {
    return GlooError(error.what());
  } catch (...) {
    return GlooError("an unknown exception");
  }
}

// Buffers that somebody may be waiting for.
struct Waits {
  absl::Mutex mutex;
  std::set<UnboundBuffer*> buffers ABSL_GUARDED_BY(mutex);
  bool interrupted ABSL_GUARDED_BY(mutex) = false;
};

// Gloo wakes whoever waits for a buffer when its connection ends, but not where a part of it has been moved already.
// These can all be woken.
class InterruptibleBuffer final : public UnboundBuffer {
 public:
  InterruptibleBuffer(std::unique_ptr<UnboundBuffer> inner, std::shared_ptr<Waits> waits)
      : UnboundBuffer(inner->ptr, inner->size), inner_(std::move(inner)), waits_(std::move(waits)) {
    absl::MutexLock lock(&waits_->mutex);
    if (waits_->interrupted) throw ::gloo::IoException("interrupted");
    waits_->buffers.insert(inner_.get());
  }
  ~InterruptibleBuffer() override {
    absl::MutexLock lock(&waits_->mutex);
    waits_->buffers.erase(inner_.get());
  }

  bool waitRecv(int* rank, Milliseconds timeout) override { return Check(inner_->waitRecv(rank, timeout)); }
  bool waitSend(int* rank, Milliseconds timeout) override { return Check(inner_->waitSend(rank, timeout)); }
  void abortWaitRecv() override { inner_->abortWaitRecv(); }
  void abortWaitSend() override { inner_->abortWaitSend(); }
  void send(int to, uint64_t slot, size_t offset, size_t bytes) override { inner_->send(to, slot, offset, bytes); }
  void recv(int from, uint64_t slot, size_t offset, size_t bytes) override { inner_->recv(from, slot, offset, bytes); }
  void recv(std::vector<int> from, uint64_t slot, size_t offset, size_t bytes) override {
    inner_->recv(std::move(from), slot, offset, bytes);
  }

 private:
  // Gloo's operations do not look at what a wait returned.
  static bool Check(bool completed) {
    if (!completed) throw ::gloo::IoException("interrupted");
    return completed;
  }

  const std::unique_ptr<UnboundBuffer> inner_;
  const std::shared_ptr<Waits> waits_;
};

void AddWrapping(void* sums, const void* a, const void* b, size_t count) {
  auto* const out = static_cast<uint64_t*>(sums);
  const auto* const left = static_cast<const uint64_t*>(a);
  const auto* const right = static_cast<const uint64_t*>(b);
  for (size_t i = 0; i < count; ++i) out[i] = left[i] + right[i];
}

}  // namespace

// Gloo's own, with buffers that can be interrupted.
class GlooMesh::Transport final : public ::gloo::transport::Context {
 public:
  explicit Transport(std::shared_ptr<::gloo::transport::Context> inner)
      : ::gloo::transport::Context(inner->rank, inner->size), inner_(std::move(inner)) {}

  std::unique_ptr<::gloo::transport::Pair>& getPair(int peer) override { return inner_->getPair(peer); }
  std::unique_ptr<::gloo::transport::Pair>& createPair(int peer) override { return inner_->createPair(peer); }
  std::unique_ptr<UnboundBuffer> createUnboundBuffer(void* bytes, size_t count) override {
    return std::make_unique<InterruptibleBuffer>(inner_->createUnboundBuffer(bytes, count), waits_);
  }

  void Interrupt() {
    {
      absl::MutexLock lock(&waits_->mutex);
      waits_->interrupted = true;
    }
    // A wait that times out is what closes all connections, and tells those that wait for them to stand.
    (void)Guarded([this] {
      char nothing = 0;
      inner_->createUnboundBuffer(&nothing, 1)->waitRecv(nullptr, Milliseconds(0));
    });
    absl::MutexLock lock(&waits_->mutex);
    for (UnboundBuffer* buffer : waits_->buffers) {
      buffer->abortWaitRecv();
      buffer->abortWaitSend();
    }
  }

 private:
  const std::shared_ptr<::gloo::transport::Context> inner_;  // shared with its buffers
  const std::shared_ptr<Waits> waits_ = std::make_shared<Waits>();
};

class GlooMesh::Context final : public ::gloo::Context {
 public:
  Context(std::shared_ptr<::gloo::transport::Device> device, std::shared_ptr<Transport> transport)
      : ::gloo::Context(transport->rank, transport->size) {
    device_ = std::move(device);
    transportContext_ = std::move(transport);
  }
};

GlooMesh::GlooMesh(uint32_t rank, uint32_t size, GlooOptions options)
    : rank_(static_cast<int>(rank)), size_(static_cast<int>(size)), options_(std::move(options)) {}

GlooMesh::~GlooMesh() = default;

absl::StatusOr<std::vector<std::vector<uint8_t>>> GlooMesh::Listen() {
  ENIGMA_ASSIGN_OR_RETURN(const std::string host, LocalAddress(options_.hosts));
  std::vector<std::vector<uint8_t>> addresses(static_cast<size_t>(size_));
  absl::MutexLock lock(&mutex_);
  if (interrupted_) return absl::CancelledError("interrupted");
  ENIGMA_RETURN_IF_ERROR(Guarded([&]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    const auto device = ::gloo::transport::tcp::CreateDevice(::gloo::transport::tcp::attr(host.c_str()));
    const auto inner = device->createContext(rank_, size_);
    inner->setTimeout(ToMilliseconds(options_.connect_timeout / kConnectFactor));
    transport_ = std::make_shared<Transport>(inner);
    for (int peer = 0; peer < size_; ++peer) {
      if (peer == rank_) continue;
      const std::vector<char> address = transport_->createPair(peer)->address().bytes();
      addresses[static_cast<size_t>(peer)].assign(address.begin(), address.end());
    }
    context_ = std::make_shared<Context>(device, transport_);
  }));
  return addresses;
}

absl::Status GlooMesh::Connect(const std::vector<std::vector<uint8_t>>& addresses) {
  return Guarded([&] {
    for (int peer = 0; peer < size_; ++peer) {
      if (peer == rank_) continue;
      const std::vector<uint8_t>& address = addresses.at(static_cast<size_t>(peer));
      context_->getPair(peer)->connect(std::vector<char>(address.begin(), address.end()));
    }
  });
}

absl::Status GlooMesh::Sum(std::span<int64_t> values, uint32_t tag) {
  if (values.empty()) return absl::OkStatus();
  return Guarded([&] {
    ::gloo::AllreduceOptions operation(context_);
    operation.setAlgorithm(::gloo::AllreduceOptions::Algorithm::RING);
    operation.setOutputs(std::vector<int64_t*>{values.data()}, values.size());
    operation.setReduceFunction(AddWrapping);
    operation.setMaxSegmentSize(kPieceBytes);
    operation.setTimeout(ToMilliseconds(options_.timeout));
    operation.setTag(tag);
    ::gloo::allreduce(operation);
  });
}

absl::Status GlooMesh::Broadcast(std::span<uint8_t> bytes, uint32_t root, uint32_t tag) {
  return Guarded([&] {
    for (size_t begin = 0; begin < bytes.size(); begin += kBroadcastBytes) {
      const std::span<uint8_t> piece = bytes.subspan(begin, std::min(kBroadcastBytes, bytes.size() - begin));
      ::gloo::BroadcastOptions operation(context_);
      operation.setOutput(piece.data(), piece.size());
      operation.setRoot(static_cast<int>(root));
      operation.setTimeout(ToMilliseconds(options_.timeout));
      operation.setTag(tag);
      ::gloo::broadcast(operation);
    }
  });
}

void GlooMesh::Interrupt() {
  std::shared_ptr<Transport> transport;
  {
    absl::MutexLock lock(&mutex_);
    interrupted_ = true;
    transport = transport_;
  }
  if (transport != nullptr) transport->Interrupt();
}

}  // namespace enigma::engine
