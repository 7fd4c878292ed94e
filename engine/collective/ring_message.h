#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

namespace enigma::engine {

enum class RingKind : uint16_t { kSum = 1, kBroadcast = 2 };

// What the ranks of a ring do together at one point of their sequences of calls. Equal on all of them, or they have
// lost each other.
struct RingCall {
  RingKind kind = RingKind::kSum;
  uint32_t root = 0;    // of a broadcast
  uint64_t number = 0;  // counts up from 0
  uint64_t count = 0;   // values of a sum, bytes of a broadcast

  bool operator==(const RingCall&) const = default;
  std::string ToText() const;  // "operation 7, a sum of 300 values"
};

// One message: 32 bytes of header, little-endian, then a chunk of a segment: packed integers of a sum, plain bytes of a
// broadcast.
//   0  magic "ERNG"   4  kind (2)   6  step (2)   8  number (8)   16  count (8)   24  root (4)   28  chunk (4)
inline constexpr size_t kRingHeaderBytes = 32;
struct RingHeader {
  RingCall call;
  uint32_t step = 0;   // of the call; below 65,536
  uint32_t chunk = 0;  // of the step's segment
};

// Writes over the first kRingHeaderBytes of `message`.
void EncodeRingHeader(const RingHeader& header, std::span<uint8_t> message);
// DataLoss where these are no header's bytes.
absl::StatusOr<RingHeader> ParseRingHeader(std::span<const uint8_t> message);

// What a rank sends and receives in a call, and in which steps. A sum is cut into one segment for each rank: in the
// first size - 1 steps segments go round and each rank adds its own values to them, until rank r has all of segment r +
// 1; in as many more steps the sums go round and are stored. What comes in a step goes on in the next one, chunk by
// chunk. A broadcast is one segment, which goes from the root, in step 0, to the rank before it; that one sends the
// root an empty chunk, so that everybody has seen what call his neighbour is at.
class RingPlan {
 public:
  static constexpr uint64_t kChunkValues = 32'768;    // of a sum
  static constexpr uint64_t kChunkBytes = 256 << 10;  // of a broadcast

  struct Range {
    uint64_t begin = 0;
    uint64_t count = 0;
  };

  RingPlan(const RingCall& call, uint32_t rank, uint32_t size) : call_(call), rank_(rank), size_(size) {}

  uint32_t steps() const { return call_.kind == RingKind::kSum ? 2 * (size_ - 1) : size_; }
  bool Sends(uint32_t step) const;
  bool Receives(uint32_t step) const;
  bool Adds(uint32_t step) const { return call_.kind == RingKind::kSum && step + 1 < size_; }  // what it receives
  // At least one, so that a segment without values is noticed too.
  uint32_t ChunksSent(uint32_t step) const { return Chunks(SegmentSent(step)); }
  uint32_t ChunksReceived(uint32_t step) const { return Chunks(SegmentReceived(step)); }
  Range SentChunk(uint32_t step, uint32_t chunk) const { return Chunk(SegmentSent(step), chunk); }
  Range ReceivedChunk(uint32_t step, uint32_t chunk) const { return Chunk(SegmentReceived(step), chunk); }

 private:
  uint32_t FromRoot() const { return (rank_ + size_ - call_.root) % size_; }
  uint64_t ChunkSize() const { return call_.kind == RingKind::kSum ? kChunkValues : kChunkBytes; }
  Range SegmentSent(uint32_t step) const { return Segment(step, (rank_ + 2 * size_ - step) % size_); }
  Range SegmentReceived(uint32_t step) const { return Segment(step, (rank_ + 2 * size_ - step - 1) % size_); }
  Range Segment(uint32_t step, uint32_t index) const;
  uint32_t Chunks(Range segment) const;
  Range Chunk(Range segment, uint32_t chunk) const;

  const RingCall call_;
  const uint32_t rank_;
  const uint32_t size_;
};

}  // namespace enigma::engine
