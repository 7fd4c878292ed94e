#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "worker/batching/step_plan.h"

namespace enigma::worker {

// What travels between the stages of a replica: a header of 64 bytes, a plan, raw hidden states. docs/wire.md has the
// layout byte by byte. Every length is checked against the bytes at hand before it is used.

inline constexpr size_t kFrameHeaderBytes = 64;
inline constexpr uint32_t kFrameMagic = 0x31474E45;  // "ENG1"
inline constexpr uint16_t kFrameVersion = 1;

enum class FrameType : uint16_t {
  kStep = 1,    // to the next stage: plan and hidden states
  kTokens = 2,  // last stage to first: what was sampled in a step; one for every step
  kBye = 3,     // the sender closes its stream in good order
};

// How hidden states are stored on the wire; the numbers are GGUF's type numbers.
enum class WireType : uint32_t { kF32 = 0, kF16 = 1, kBF16 = 30 };
uint32_t WireTypeBytes(WireType type);
absl::StatusOr<WireType> WireTypeFromNumber(uint32_t number);

// Numeric contracts on the wire; docs/numerics.md.
enum class WireContract : uint32_t { kCpuV1 = 1 };

struct FrameHeader {
  FrameType type = FrameType::kStep;
  uint64_t replica = 0;
  uint64_t step = 0;
  uint32_t plan_bytes = 0;
  uint32_t close_count = 0;
  uint32_t open_count = 0;
  uint32_t run_count = 0;  // of kTokens: sampled tokens
  uint32_t rows = 0;
  uint32_t hidden = 0;  // elements of a row
  WireType wire_type = WireType::kF32;
  WireContract contract = WireContract::kCpuV1;

  uint64_t payload_bytes() const { return uint64_t{rows} * hidden * WireTypeBytes(wire_type); }
};

// A frame taken apart; the spans lie in the bytes that were given.
struct FrameView {
  FrameHeader header;
  std::span<const uint8_t> plan;
  std::span<const uint8_t> payload;
};

// DataLoss that names the field, for anything but one whole frame.
absl::StatusOr<FrameView> ParseFrame(std::span<const uint8_t> bytes);

// The plan of a kStep frame. `tokens` stays empty. DataLoss where counts and lengths do not add up.
absl::StatusOr<StepPlan> DecodePlan(const FrameView& frame);
absl::StatusOr<std::vector<SampledToken>> DecodeTokens(const FrameView& frame);

// Everything of a plan but its tokens.
std::string EncodePlan(const StepPlan& plan);
FrameHeader StepHeader(const StepPlan& plan, uint64_t replica, size_t plan_bytes, uint32_t hidden, WireType wire_type);
void EncodeHeader(const FrameHeader& header, std::span<uint8_t, kFrameHeaderBytes> out);
// Whole frames without hidden states.
std::string EncodeTokensFrame(uint64_t replica, uint64_t step, std::span<const SampledToken> tokens);
std::string EncodeByeFrame(uint64_t replica);

}  // namespace enigma::worker
