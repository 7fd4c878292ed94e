#include "worker/pipeline/frame.h"

#include <cstring>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enigma::worker {
namespace {

using ::testing::HasSubstr;

std::span<const uint8_t> Bytes(const std::string& text) {
  return {reinterpret_cast<const uint8_t*>(text.data()), text.size()};
}

StepPlan SamplePlan() {
  StepPlan plan;
  plan.step = 7;
  plan.closes = {11, 12};
  v1::OpenSequence open;
  open.set_sequence(13);
  open.add_prompt(5);
  open.mutable_sampling()->set_temperature(0);
  plan.opens = {open};
  plan.runs.resize(2);
  plan.runs[0] = {.sequence = 13, .first = 0, .count = 3, .logits = true, .reset_blocks = true, .new_blocks = {4, 9}};
  plan.runs[1] = {.sequence = 14, .first = 70, .count = 1, .logits = true, .reset_blocks = false, .new_blocks = {}};
  return plan;
}

// A whole step frame; hidden states are 4 rows of 2 values.
std::string SampleFrame() {
  const StepPlan plan = SamplePlan();
  const std::string encoded = EncodePlan(plan);
  std::string frame(kFrameHeaderBytes, '\0');
  EncodeHeader(StepHeader(plan, 3, encoded.size(), 2, WireType::kF32),
               std::span<uint8_t, kFrameHeaderBytes>(reinterpret_cast<uint8_t*>(frame.data()), kFrameHeaderBytes));
  return frame + encoded + std::string(4 * 2 * sizeof(float), 'h');
}

template <typename T>
void Overwrite(std::string& frame, size_t offset, T value) {
  std::memcpy(frame.data() + offset, &value, sizeof(value));
}

TEST(Frame, StepSurvivesTheWire) {
  const std::string bytes = SampleFrame();
  const absl::StatusOr<FrameView> frame = ParseFrame(Bytes(bytes));
  ASSERT_TRUE(frame.ok()) << frame.status();
  EXPECT_EQ(frame->header.replica, 3U);
  EXPECT_EQ(frame->header.rows, 4U);
  EXPECT_EQ(frame->payload.size(), 32U);
  const absl::StatusOr<StepPlan> plan = DecodePlan(*frame);
  ASSERT_TRUE(plan.ok()) << plan.status();
  EXPECT_EQ(plan->step, 7U);
  EXPECT_EQ(plan->closes, (std::vector<uint64_t>{11, 12}));
  ASSERT_EQ(plan->opens.size(), 1U);
  EXPECT_EQ(plan->opens[0].prompt(0), 5);
  ASSERT_EQ(plan->runs.size(), 2U);
  EXPECT_EQ(plan->runs[0].new_blocks, (std::vector<uint32_t>{4, 9}));
  EXPECT_TRUE(plan->runs[0].reset_blocks);
  EXPECT_FALSE(plan->runs[1].reset_blocks);
  EXPECT_EQ(plan->runs[1].first, 70U);
  EXPECT_EQ(EncodePlan(*plan), EncodePlan(SamplePlan()));
}

TEST(Frame, TokensSurviveTheWire) {
  const std::vector<SampledToken> tokens = {{1, 2, 3, false}, {4, 5, 6, true}};
  const std::string bytes = EncodeTokensFrame(8, 9, tokens);
  const absl::StatusOr<FrameView> frame = ParseFrame(Bytes(bytes));
  ASSERT_TRUE(frame.ok()) << frame.status();
  EXPECT_EQ(frame->header.step, 9U);
  const absl::StatusOr<std::vector<SampledToken>> read = DecodeTokens(*frame);
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->size(), 2U);
  EXPECT_EQ((*read)[1].sequence, 4U);
  EXPECT_EQ((*read)[1].position, 5U);
  EXPECT_EQ((*read)[1].id, 6);
  EXPECT_TRUE((*read)[1].finished);
  EXPECT_FALSE(DecodePlan(*frame).ok());
}

TEST(Frame, ByeIsAHeader) {
  const std::string bytes = EncodeByeFrame(8);
  EXPECT_EQ(bytes.size(), kFrameHeaderBytes);
  const absl::StatusOr<FrameView> frame = ParseFrame(Bytes(bytes));
  ASSERT_TRUE(frame.ok()) << frame.status();
  EXPECT_EQ(frame->header.type, FrameType::kBye);
}

// Offsets of docs/wire.md.
TEST(Frame, LyingFieldsAreNamed) {
  struct Case {
    const char* name;
    size_t offset;
    uint32_t value;
    const char* says;
  };
  const Case cases[] = {
      {"magic", 0, 0, "magic"},
      {"version", 4, 0x00010002, "version 2"},
      {"type", 4, 0x00090001, "type 9"},
      {"plan too long", 24, 0xFFFFFFFF, "plan of"},
      {"plan too short", 24, 40, "bytes of plan"},
      {"closes", 28, 0x20000000, "counts need"},
      {"opens", 32, 0xFFFFFFFF, "counts need"},
      {"runs", 36, 0xFFFFFFFF, "counts need"},
      {"rows", 40, 5, "do not make"},
      {"rows that overflow", 40, 0xFFFFFFFF, "do not make"},
      {"hidden", 44, 0xFFFFFFFF, "do not make"},
      {"wire type", 48, 8, "wire type 8"},
      {"contract", 52, 99, "contract 99"},
      {"payload", 56, 31, "do not make"},
  };
  for (const Case& c : cases) {
    std::string frame = SampleFrame();
    Overwrite(frame, c.offset, c.value);
    const absl::Status status = ParseFrame(Bytes(frame)).status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << c.name << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.says)) << c.name;
  }
}

TEST(Frame, LyingPlansAreRefused) {
  const size_t opened = kFrameHeaderBytes + 16;  // after two closes
  const size_t open_bytes = SamplePlan().opens[0].ByteSizeLong();
  const size_t run = opened + 4 + open_bytes;
  struct Case {
    const char* name;
    size_t offset;
    uint32_t value;
    const char* says;
  };
  const Case cases[] = {
      {"open longer than the plan", opened, 0xFFFFFFFF, "inside an opened"},
      {"open that is garbage", opened + 4, 0xFFFFFFFF, "does not parse"},
      {"run without rows", run + 12, 0, "without rows"},
      {"run whose rows are not the header's", run + 12, 2, "rows, its header"},
      {"positions overflow", run + 8, 0xFFFFFFFF, "overflow"},
      {"unknown flags", run + 16, 0x80, "flags"},
      {"blocks beyond the plan", run + 20, 0x40000000, "blocks exceed"},
      {"fewer blocks than sent", run + 20, 1, ""},
  };
  for (const Case& c : cases) {
    std::string frame = SampleFrame();
    Overwrite(frame, c.offset, c.value);
    const absl::StatusOr<FrameView> view = ParseFrame(Bytes(frame));
    ASSERT_TRUE(view.ok()) << c.name << ": " << view.status();
    const absl::Status status = DecodePlan(*view).status();
    EXPECT_TRUE(absl::IsDataLoss(status)) << c.name << ": " << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(c.says)) << c.name;
  }
}

TEST(Frame, EveryTruncationIsRefused) {
  const std::string frame = SampleFrame();
  for (size_t bytes = 0; bytes < frame.size(); ++bytes) {
    // A copy of exactly this size, so that a sanitizer sees reads beyond it.
    const std::vector<uint8_t> cut(frame.begin(), frame.begin() + static_cast<ptrdiff_t>(bytes));
    EXPECT_FALSE(ParseFrame(cut).ok()) << bytes;
  }
  EXPECT_FALSE(ParseFrame(Bytes(frame + "x")).ok());
}

}  // namespace
}  // namespace enigma::worker
