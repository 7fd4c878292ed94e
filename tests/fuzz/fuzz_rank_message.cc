// Bytes from another rank of a job that lies: a frame of a link, with a ring's message inside. The first byte says how
// many values the receiver expects.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <string_view>
#include <vector>

#include <grpcpp/support/slice.h>

#include "engine/collective/packed_integers.h"
#include "engine/collective/ring_message.h"
#include "worker/training/link_frame.h"

namespace {

using namespace enigma;

void ReadIntegers(std::span<const uint8_t> packed, size_t count) {
  std::vector<int64_t> values(count, -1);
  if (!engine::UnpackIntegers(packed, values).ok()) return;
  std::vector<int64_t> sums(count, 0);
  if (!engine::UnpackAndAddIntegers(packed, sums).ok() || sums != values) std::abort();
  // Packed again it is no longer than it was, and says the same.
  std::vector<uint8_t> again;
  engine::PackIntegers(values, again);
  if (again.size() > packed.size()) std::abort();
  std::vector<int64_t> reread(count, -1);
  if (!engine::UnpackIntegers(again, reread).ok() || reread != values) std::abort();
}

void ReadRingMessage(std::span<const uint8_t> message, size_t count) {
  const auto header = engine::ParseRingHeader(message);
  if (!header.ok()) return;
  std::vector<uint8_t> again(engine::kRingHeaderBytes);
  engine::EncodeRingHeader(*header, again);
  if (!std::equal(again.begin(), again.end(), message.begin())) std::abort();
  ReadIntegers(message.subspan(engine::kRingHeaderBytes), count);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const size_t count = size_t{data[0]} * 4;
  // Two slices, as a message may come in several.
  const size_t cut = 1 + (size - 1) / 2;
  const grpc::Slice slices[] = {grpc::Slice(data + 1, cut - 1), grpc::Slice(data + cut, size - cut)};
  const auto frame = worker::ParseLinkFrame(grpc::ByteBuffer(slices, 2));
  if (!frame.ok()) return 0;
  switch (frame->kind) {
    case worker::LinkFrameKind::kMessage:
      if (frame->message.size() != size - 2) std::abort();
      ReadRingMessage(frame->message, count);
      break;
    case worker::LinkFrameKind::kAbort:
      if (frame->reason.ok() || worker::DecodeReason(worker::EncodeReason(frame->reason)) != frame->reason)
        std::abort();
      break;
    case worker::LinkFrameKind::kPulse:
    case worker::LinkFrameKind::kBye:
      break;
  }
  return 0;
}
