#pragma once

#include <span>
#include <string_view>

#include <absl/status/statusor.h>
#include <grpcpp/support/byte_buffer.h>
#include <grpcpp/support/slice.h>

#include "engine/tensor/aligned_buffer.h"
#include "worker/pipeline/frame.h"

namespace enigma::worker {

// Frames as gRPC carries them. Hidden states are copied once on each side: from the stage's workspace into the slice
// that goes to the socket, and from the received slices into aligned memory.

// A step frame. `plan` as EncodePlan made it (or as it was received: stages pass it on verbatim); `hidden` holds
// header.rows * header.hidden values.
grpc::ByteBuffer MakeStepBuffer(const FrameHeader& header, std::string_view plan, std::span<const float> hidden);
grpc::ByteBuffer MakeBuffer(std::string_view frame);

// A frame that arrived, in one piece. Owns its bytes.
class ReceivedFrame {
 public:
  static absl::StatusOr<ReceivedFrame> Parse(const grpc::ByteBuffer& buffer);
  const FrameView& view() const { return view_; }
  // The hidden states as f32, [rows * hidden]; `out` grows as needed.
  std::span<const float> Hidden(engine::AlignedBuffer<float>& out) const;

 private:
  grpc::Slice bytes_;  // view_ points into it; a slice that refers to its memory keeps it in place when moved
  FrameView view_;
};

}  // namespace enigma::worker
