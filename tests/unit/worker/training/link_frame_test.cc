#include "worker/training/link_frame.h"

#include <grpcpp/support/slice.h>
#include <gtest/gtest.h>

#include "engine/collective/lost_rank.h"

namespace enigma::worker {
namespace {

grpc::ByteBuffer Bytes(std::string_view bytes) {
  const grpc::Slice slice(bytes.data(), bytes.size());
  return grpc::ByteBuffer(&slice, 1);
}

TEST(LinkFrame, EveryKindComesBack) {
  const auto message = ParseLinkFrame(MessageFrame({1, 2, 3}));
  ASSERT_TRUE(message.ok());
  EXPECT_EQ(message->kind, LinkFrameKind::kMessage);
  EXPECT_EQ(message->message, (std::vector<uint8_t>{1, 2, 3}));
  const auto empty = ParseLinkFrame(MessageFrame({}));
  ASSERT_TRUE(empty.ok());
  EXPECT_EQ(empty->kind, LinkFrameKind::kMessage);
  EXPECT_TRUE(empty->message.empty());
  const auto pulse = ParseLinkFrame(PulseFrame(uint64_t{1} << 50));
  ASSERT_TRUE(pulse.ok());
  EXPECT_EQ(pulse->kind, LinkFrameKind::kPulse);
  EXPECT_EQ(pulse->taken, uint64_t{1} << 50);
  const auto abort = ParseLinkFrame(AbortFrame(engine::LostRankError(3, "gone")));
  ASSERT_TRUE(abort.ok());
  EXPECT_EQ(abort->kind, LinkFrameKind::kAbort);
  EXPECT_EQ(abort->reason, engine::LostRankError(3, "gone"));
  const auto bye = ParseLinkFrame(ByeFrame());
  ASSERT_TRUE(bye.ok());
  EXPECT_EQ(bye->kind, LinkFrameKind::kBye);
}

TEST(LinkFrame, AMessageInSeveralSlicesIsOne) {
  const grpc::Slice slices[] = {grpc::Slice("", 0),
                                grpc::Slice("\x01"
                                            "ab",
                                            3),
                                grpc::Slice("", 0), grpc::Slice("cd", 2)};
  const auto frame = ParseLinkFrame(grpc::ByteBuffer(slices, 4));
  ASSERT_TRUE(frame.ok());
  EXPECT_EQ(frame->message, (std::vector<uint8_t>{'a', 'b', 'c', 'd'}));
}

TEST(LinkFrame, BytesThatAreNoFrameAreErrors) {
  for (const std::string_view bytes : {std::string_view(), std::string_view("\0", 1), std::string_view("\x05"),
                                       std::string_view("\xFF"), std::string_view("\x02"),
                                       std::string_view("\x02"
                                                        "1234567"),
                                       std::string_view("\x02"
                                                        "123456789"),
                                       std::string_view("\x04"
                                                        "x")}) {
    EXPECT_EQ(ParseLinkFrame(Bytes(bytes)).status().code(), absl::StatusCode::kDataLoss) << bytes.size();
  }
}

TEST(LinkReason, ComesBackAndIsNeverOk) {
  for (const absl::Status& reason : {engine::LostRankError(0, "a"), engine::LostRankError(0xFFFFFFFF, ""),
                                     absl::CancelledError("b"), absl::UnauthenticatedError("")}) {
    EXPECT_EQ(DecodeReason(EncodeReason(reason)), reason);
  }
  const std::string good = EncodeReason(absl::CancelledError("b"));
  std::string fine = good;
  fine[0] = 0;
  std::string unknown = good;
  unknown[0] = 17;
  std::string rank = good;
  rank[4 + 5] = 1;
  for (const std::string& bytes :
       {std::string(), good.substr(0, 11), fine, unknown, rank, good + std::string(1000, 'x')}) {
    EXPECT_EQ(DecodeReason(bytes).code(), absl::StatusCode::kDataLoss);
  }
  EXPECT_EQ(DecodeReason(EncodeReason(absl::CancelledError(std::string(5000, 'x')))),
            absl::CancelledError(std::string(1000, 'x')));
}

}  // namespace
}  // namespace enigma::worker
