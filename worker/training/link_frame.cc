#include "worker/training/link_frame.h"

#include <cstring>
#include <memory>
#include <optional>
#include <utility>

#include <absl/strings/str_cat.h>
#include <grpcpp/support/slice.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/collective/lost_rank.h"
#include "rpc/status_conversion.h"
#include "worker/pipeline/little_endian.h"

namespace enigma::worker {
namespace {

constexpr size_t kReasonTextMax = 1000;
constexpr int kStatusCodeMax = static_cast<int>(absl::StatusCode::kUnauthenticated);

grpc::ByteBuffer BufferOf(std::string_view bytes) {
  const grpc::Slice slice(bytes.data(), bytes.size());
  return grpc::ByteBuffer(&slice, 1);
}

std::string Begin(LinkFrameKind kind) { return std::string(1, static_cast<char>(kind)); }

// All bytes but the first, which is stored in `kind`; false where there is none.
bool Split(const std::vector<grpc::Slice>& slices, uint8_t& kind, std::vector<uint8_t>& rest) {
  size_t bytes = 0;
  for (const grpc::Slice& slice : slices) bytes += slice.size();
  if (bytes == 0) return false;
  rest.reserve(bytes - 1);
  bool first = true;
  for (const grpc::Slice& slice : slices) {
    const uint8_t* begin = slice.begin();
    if (first && slice.size() > 0) {
      kind = *begin++;
      first = false;
    }
    rest.insert(rest.end(), begin, slice.end());
  }
  return true;
}

}  // namespace

grpc::ByteBuffer MessageFrame(std::vector<uint8_t> message) {
  const std::string kind = Begin(LinkFrameKind::kMessage);
  if (message.empty()) return BufferOf(kind);
  auto kept = std::make_unique<std::vector<uint8_t>>(std::move(message));
  uint8_t* const bytes = kept->data();
  const size_t size = kept->size();
  const grpc::Slice slices[] = {
      grpc::Slice(kind.data(), kind.size()),
      grpc::Slice(
          bytes, size, [](void* vector) { delete static_cast<std::vector<uint8_t>*>(vector); }, kept.release())};
  return grpc::ByteBuffer(slices, 2);
}

grpc::ByteBuffer PulseFrame(uint64_t taken) {
  std::string bytes = Begin(LinkFrameKind::kPulse);
  AppendLittleEndian(bytes, taken);
  return BufferOf(bytes);
}

grpc::ByteBuffer AbortFrame(const absl::Status& reason) {
  return BufferOf(Begin(LinkFrameKind::kAbort) + EncodeReason(reason));
}

grpc::ByteBuffer ByeFrame() { return BufferOf(Begin(LinkFrameKind::kBye)); }

absl::StatusOr<LinkFrame> ParseLinkFrame(const grpc::ByteBuffer& buffer) {
  std::vector<grpc::Slice> slices;
  ENIGMA_RETURN_IF_ERROR(FromGrpc(buffer.Dump(&slices)));
  uint8_t kind = 0;
  LinkFrame frame;
  if (!Split(slices, kind, frame.message)) return absl::DataLossError("an empty frame");
  frame.kind = static_cast<LinkFrameKind>(kind);
  switch (frame.kind) {
    case LinkFrameKind::kMessage:
      return frame;
    case LinkFrameKind::kPulse: {
      LittleEndianReader reader(frame.message);
      if (reader.Read(frame.taken) && reader.remaining() == 0) return frame;
      return absl::DataLossError(absl::StrCat("a pulse of ", frame.message.size(), " bytes"));
    }
    case LinkFrameKind::kAbort:
      frame.reason = DecodeReason({reinterpret_cast<const char*>(frame.message.data()), frame.message.size()});
      return frame;
    case LinkFrameKind::kBye:
      if (frame.message.empty()) return frame;
      return absl::DataLossError("a bye with something behind it");
  }
  return absl::DataLossError(absl::StrCat("a frame of unknown kind ", kind));
}

// Code (4 bytes), 1 + the lost rank or 0 (8 bytes), text.
std::string EncodeReason(const absl::Status& reason) {
  std::string bytes;
  AppendLittleEndian(bytes, static_cast<uint32_t>(reason.code()));
  const std::optional<uint32_t> lost = engine::LostRank(reason);
  AppendLittleEndian(bytes, lost ? uint64_t{*lost} + 1 : uint64_t{0});
  bytes += ToStd(reason.message()).substr(0, kReasonTextMax);
  return bytes;
}

absl::Status DecodeReason(std::string_view bytes) {
  LittleEndianReader reader({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
  uint32_t code = 0;
  uint64_t lost = 0;
  if (!reader.Read(code) || !reader.Read(lost) || code == 0 || code > kStatusCodeMax || lost > (uint64_t{1} << 32) ||
      reader.remaining() > kReasonTextMax) {
    return absl::DataLossError("the epoch was aborted for a reason that cannot be read");
  }
  const std::string_view text = bytes.substr(bytes.size() - reader.remaining());
  if (lost > 0) return engine::LostRankError(static_cast<uint32_t>(lost - 1), text);
  return absl::Status(static_cast<absl::StatusCode>(code), ToAbsl(text));
}

}  // namespace enigma::worker
