#include "worker/pipeline/frame_buffer.h"

#include <cstring>

#include <absl/strings/str_cat.h>
#include <grpc/slice.h>
#include <grpcpp/grpcpp.h>

#include "base/status_macros.h"
#include "engine/kernels/dequantise.h"
#include "rpc/status_conversion.h"

namespace enigma::worker {
namespace {

void StoreHidden(std::span<const float> hidden, WireType type, uint8_t* out) {
  if (type == WireType::kF32) {
    if (!hidden.empty()) std::memcpy(out, hidden.data(), hidden.size_bytes());  // memcpy takes no null, not even for 0
    return;
  }
  for (const float value : hidden) {
    const uint16_t bits = type == WireType::kF16 ? engine::FloatToHalf(value) : engine::FloatToBrain(value);
    std::memcpy(out, &bits, sizeof(bits));
    out += sizeof(bits);
  }
}

}  // namespace

grpc::ByteBuffer MakeStepBuffer(const FrameHeader& header, std::string_view plan, std::span<const float> hidden) {
  // grpc::Slice can only copy into itself; the C slice lends its memory for writing first.
  grpc_slice raw = grpc_slice_malloc(kFrameHeaderBytes + plan.size() + header.payload_bytes());
  uint8_t* out = GRPC_SLICE_START_PTR(raw);
  EncodeHeader(header, std::span<uint8_t, kFrameHeaderBytes>(out, kFrameHeaderBytes));
  if (!plan.empty()) std::memcpy(out + kFrameHeaderBytes, plan.data(), plan.size());
  StoreHidden(hidden, header.wire_type, out + kFrameHeaderBytes + plan.size());
  const grpc::Slice slice(raw, grpc::Slice::STEAL_REF);
  return grpc::ByteBuffer(&slice, 1);
}

grpc::ByteBuffer MakeBuffer(std::string_view frame) {
  const grpc::Slice slice(frame.data(), frame.size());
  return grpc::ByteBuffer(&slice, 1);
}

absl::StatusOr<ReceivedFrame> ReceivedFrame::Parse(const grpc::ByteBuffer& buffer) {
  ReceivedFrame frame;
  if (!buffer.TrySingleSlice(&frame.bytes_).ok()) {
    ENIGMA_RETURN_IF_ERROR(FromGrpc(buffer.DumpToSingleSlice(&frame.bytes_)));
  }
  // Shorter slices live inside their handle and would move with it; none is a frame.
  if (frame.bytes_.size() < kFrameHeaderBytes) {
    return absl::DataLossError(
        absl::StrCat("frame: ", frame.bytes_.size(), " bytes are less than a header of ", kFrameHeaderBytes));
  }
  ENIGMA_ASSIGN_OR_RETURN(frame.view_, ParseFrame({frame.bytes_.begin(), frame.bytes_.size()}));
  return frame;
}

std::span<const float> ReceivedFrame::Hidden(engine::AlignedBuffer<float>& out) const {
  const size_t count = size_t{view_.header.rows} * view_.header.hidden;
  if (out.size() < count) out = engine::AlignedBuffer<float>(count);
  const uint8_t* in = view_.payload.data();
  switch (view_.header.wire_type) {
    case WireType::kF32:
      if (count > 0) std::memcpy(out.data(), in, count * sizeof(float));
      break;
    case WireType::kF16:
    case WireType::kBF16:
      for (size_t i = 0; i < count; ++i, in += 2) {
        uint16_t bits = 0;
        std::memcpy(&bits, in, sizeof(bits));
        out[i] = view_.header.wire_type == WireType::kF16 ? engine::HalfToFloat(bits) : engine::BrainToFloat(bits);
      }
      break;
  }
  return {out.data(), count};
}

}  // namespace enigma::worker
