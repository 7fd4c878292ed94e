#include "engine/collective/ring_message.h"

#include <algorithm>
#include <bit>
#include <cstring>

#include <absl/strings/str_cat.h>

namespace enigma::engine {
namespace {

static_assert(std::endian::native == std::endian::little, "headers are little-endian, and so are all machines served");

constexpr uint8_t kMagic[4] = {'E', 'R', 'N', 'G'};

template <typename T>
void Store(std::span<uint8_t> message, size_t offset, T value) {
  std::memcpy(message.data() + offset, &value, sizeof(T));
}

template <typename T>
T Load(std::span<const uint8_t> message, size_t offset) {
  T value = 0;
  std::memcpy(&value, message.data() + offset, sizeof(T));
  return value;
}

}  // namespace

std::string RingCall::ToText() const {
  if (kind == RingKind::kSum) return absl::StrCat("operation ", number, ", a sum of ", count, " values");
  return absl::StrCat("operation ", number, ", a broadcast of ", count, " bytes from rank ", root);
}

void EncodeRingHeader(const RingHeader& header, std::span<uint8_t> message) {
  std::memcpy(message.data(), kMagic, sizeof(kMagic));
  Store(message, 4, static_cast<uint16_t>(header.call.kind));
  Store(message, 6, static_cast<uint16_t>(header.step));
  Store(message, 8, header.call.number);
  Store(message, 16, header.call.count);
  Store(message, 24, header.call.root);
  Store(message, 28, header.chunk);
}

absl::StatusOr<RingHeader> ParseRingHeader(std::span<const uint8_t> message) {
  if (message.size() < kRingHeaderBytes || std::memcmp(message.data(), kMagic, sizeof(kMagic)) != 0) {
    return absl::DataLossError(absl::StrCat("a message of ", message.size(), " bytes without a ring's header"));
  }
  const auto kind = Load<uint16_t>(message, 4);
  if (kind != static_cast<uint16_t>(RingKind::kSum) && kind != static_cast<uint16_t>(RingKind::kBroadcast)) {
    return absl::DataLossError(absl::StrCat("a message of unknown kind ", kind));
  }
  RingHeader header;
  header.call.kind = static_cast<RingKind>(kind);
  header.step = Load<uint16_t>(message, 6);
  header.call.number = Load<uint64_t>(message, 8);
  header.call.count = Load<uint64_t>(message, 16);
  header.call.root = Load<uint32_t>(message, 24);
  header.chunk = Load<uint32_t>(message, 28);
  return header;
}

bool RingPlan::Sends(uint32_t step) const { return call_.kind == RingKind::kSum ? step < steps() : step == FromRoot(); }

bool RingPlan::Receives(uint32_t step) const {
  return call_.kind == RingKind::kSum ? step < steps() : step == (FromRoot() + size_ - 1) % size_;
}

RingPlan::Range RingPlan::Segment(uint32_t step, uint32_t index) const {
  if (call_.kind == RingKind::kBroadcast) return {.begin = 0, .count = step + 1 < size_ ? call_.count : 0};
  // The first count % size segments are longer by one.
  const uint64_t each = call_.count / size_;
  const uint64_t longer = call_.count % size_;
  return {.begin = index * each + std::min<uint64_t>(index, longer), .count = each + (index < longer ? 1 : 0)};
}

uint32_t RingPlan::Chunks(Range segment) const {
  return static_cast<uint32_t>(std::max<uint64_t>(1, (segment.count + ChunkSize() - 1) / ChunkSize()));
}

RingPlan::Range RingPlan::Chunk(Range segment, uint32_t chunk) const {
  const uint64_t skipped = chunk * ChunkSize();
  return {.begin = segment.begin + skipped, .count = std::min(ChunkSize(), segment.count - skipped)};
}

}  // namespace enigma::engine
