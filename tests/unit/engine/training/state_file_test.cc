#include "engine/training/state_file.h"

#include <cstring>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/message_of.h"
#include "tests/unit/engine/training/small_models.h"

namespace enigma::engine {
namespace {

using ::enigma::testing::MessageOf;

using ::testing::HasSubstr;
using testing::SmallModel;
using testing::SmallSpec;

using Bytes = std::vector<uint8_t>;

JobIdentity SomeJob() { return {Sha256Of("config"), Sha256Of("tokens")}; }

// Every buffer differs everywhere, and holds what a comparison of numbers would overlook.
SmallModel SomeModel() {
  SmallModel model(SmallSpec("qwen2", true));
  for (const Parameter& parameter : model.layout.parameters()) {
    for (size_t i = parameter.offset; i < parameter.offset + parameter.count; ++i) {
      model.state.first_moments[i] = -0.5F * model.state.weights[i];
      model.state.second_moments[i] = static_cast<float>(i);
    }
  }
  model.state.weights[1] = -0.0F;
  model.state.weights[2] = std::numeric_limits<float>::denorm_min();
  const uint32_t odd_nan = 0x7FC12345;
  std::memcpy(&model.state.first_moments[3], &odd_nan, sizeof odd_nan);
  model.state.step = 12'345;
  model.state.tokens = uint64_t{1} << 63;
  for (size_t i = 0; i < model.state.exponents.size(); ++i) model.state.exponents[i] = static_cast<int32_t>(i) - 4;
  return model;
}

Bytes Written(const SmallModel& model) {
  Bytes out;
  const auto sink = [&](std::span<const uint8_t> part) {
    EXPECT_LE(part.size(), size_t{1} << 20);
    out.insert(out.end(), part.begin(), part.end());
    return absl::OkStatus();
  };
  const absl::Status status = WriteState(model.state, model.layout, SomeJob(), sink);
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(out.size(), StateFileBytes(model.state, model.layout, SomeJob()));
  return out;
}

absl::StatusOr<TrainingState> Read(const Bytes& bytes, const ParameterLayout& layout, const JobIdentity& job) {
  const auto file = SafetensorsFile::Parse(bytes, "state");
  if (!file.ok()) return file.status();
  return ReadState(**file, layout, job);
}

bool SameBits(const AlignedBuffer<float>& a, const AlignedBuffer<float>& b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0;
}

// The file again, with tensors and metadata as `edit` leaves them.
Bytes Rewritten(
    const Bytes& bytes,
    const std::function<void(std::vector<SafetensorsPlan>&, std::vector<Bytes>&, SafetensorsMetadata&)>& edit) {
  const auto file = SafetensorsFile::Parse(bytes, "state");
  std::vector<SafetensorsPlan> plan;
  std::vector<Bytes> data;
  for (const SafetensorsTensor& tensor : (*file)->tensors()) {
    plan.push_back({tensor.name, tensor.type, tensor.shape});
    const auto content = (*file)->Data(tensor);
    data.emplace_back(content.begin(), content.end());
  }
  SafetensorsMetadata metadata = (*file)->metadata();
  edit(plan, data, metadata);
  Bytes out;
  auto writer = SafetensorsWriter::Create(plan, metadata, [&](std::span<const uint8_t> part) {
    out.insert(out.end(), part.begin(), part.end());
    return absl::OkStatus();
  });
  for (const Bytes& content : data) EXPECT_TRUE(writer->Write(content).ok());
  return out;
}

TEST(StateFileTest, EveryBitComesBack) {
  const SmallModel model = SomeModel();
  const auto read = Read(Written(model), model.layout, SomeJob());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->step, model.state.step);
  EXPECT_EQ(read->tokens, model.state.tokens);
  EXPECT_TRUE(SameBits(read->weights, model.state.weights));
  EXPECT_TRUE(SameBits(read->first_moments, model.state.first_moments));
  EXPECT_TRUE(SameBits(read->second_moments, model.state.second_moments));
  EXPECT_EQ(read->exponents, model.state.exponents);
}

TEST(StateFileTest, TensorsHaveTheNamesAndShapesOfOtherTools) {
  const SmallModel model = SomeModel();
  const Bytes bytes = Written(model);
  const auto file = SafetensorsFile::Parse(bytes, "state");
  ASSERT_TRUE(file.ok()) << file.status();
  for (const char* name :
       {"model.blk.1.ffn_down.weight", "adam.first.blk.1.ffn_down.weight", "adam.second.blk.1.ffn_down.weight"}) {
    const SafetensorsTensor* tensor = (*file)->Find(name);
    ASSERT_NE(tensor, nullptr) << name;
    EXPECT_THAT(tensor->shape, ::testing::ElementsAre(64, 96));  // [rows, inner dimension]
  }
  EXPECT_EQ((*file)->metadata().at("contract"), "cpu-train-v1");
  EXPECT_EQ((*file)->metadata().at("step"), "12345");
}

TEST(StateFileTest, AnotherJobsStateIsNotTaken) {
  const SmallModel model = SomeModel();
  const Bytes bytes = Written(model);
  JobIdentity other = SomeJob();
  other.config = Sha256Of("another");
  const absl::Status config = Read(bytes, model.layout, other).status();
  EXPECT_EQ(config.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(MessageOf(config), HasSubstr("state: the job's data changed: the state was made with configuration "));
  other = SomeJob();
  other.token_set = Sha256Of("another");
  EXPECT_THAT(MessageOf(Read(bytes, model.layout, other).status()),
              HasSubstr("the job's data changed: the state was made with token set "));
  const Bytes contract = Rewritten(bytes, [](auto&, auto&, auto& metadata) { metadata["contract"] = "cpu-train-v9"; });
  EXPECT_THAT(MessageOf(Read(contract, model.layout, SomeJob()).status()), HasSubstr("numeric contract cpu-train-v9"));
}

TEST(StateFileTest, AStateOfOtherProductsIsNotTaken) {
  const SmallModel model = SomeModel();
  JobIdentity job = SomeJob();
  job.precision = ProductPrecision::kBf16;
  const absl::Status status = Read(Written(model), model.layout, job).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(MessageOf(status), HasSubstr("numeric contract cpu-train-v1, the job has cpu-train-bf16-v1"));
}

TEST(StateFileTest, WhatIsMissingOrOfAnotherShapeIsNamed) {
  const SmallModel model = SomeModel();
  const Bytes bytes = Written(model);
  const auto refusal = [&](const auto& edit) {
    return MessageOf(Read(Rewritten(bytes, edit), model.layout, SomeJob()).status());
  };
  EXPECT_EQ(refusal([](auto&, auto&, auto&) {}), "");
  EXPECT_THAT(refusal([](auto& plan, auto& data, auto&) {
                plan.erase(plan.begin() + 1);
                data.erase(data.begin() + 1);
              }),
              HasSubstr("tensor 'model.blk.0.attn_norm.weight' is missing"));
  EXPECT_THAT(refusal([](auto& plan, auto&, auto&) { std::swap(plan[0].shape[0], plan[0].shape[1]); }),
              HasSubstr("tensor 'model.token_embd.weight' is F32 [64, 266], the model's is F32 [266, 64]"));
  EXPECT_THAT(refusal([](auto& plan, auto&, auto&) { plan[0].type = SafetensorsType::kI32; }), HasSubstr("is I32"));
  EXPECT_THAT(refusal([](auto& plan, auto& data, auto&) {
                plan.push_back({"more", SafetensorsType::kU8, {1}});
                data.push_back({0});
              }),
              HasSubstr("tensors, a state of this model has"));
  EXPECT_THAT(refusal([](auto&, auto& data, auto&) { data.back()[3] = 0x70; }), HasSubstr("an exponent is 1895825404"));
  EXPECT_THAT(refusal([](auto&, auto&, auto& metadata) { metadata["step"] = "-1"; }), HasSubstr("its step is '-1'"));
  EXPECT_THAT(refusal([](auto&, auto&, auto& metadata) { metadata.erase("tokens"); }),
              HasSubstr("it does not say its tokens"));
  EXPECT_THAT(refusal([](auto&, auto&, auto& metadata) { metadata["format"] = "2"; }), HasSubstr("its format is '2'"));
}

TEST(StateFileTest, AStateOfAnotherLayoutIsNotWritten) {
  const SmallModel model = SomeModel();
  const ModelSpec larger = SmallSpec("llama");
  const ParameterLayout layout(larger);
  const absl::Status status =
      WriteState(model.state, layout, SomeJob(), [](std::span<const uint8_t>) { return absl::OkStatus(); });
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
}

TEST(StateFileTest, TheSinksErrorEndsTheWriting) {
  const SmallModel model = SomeModel();
  int parts = 0;
  const absl::Status status = WriteState(model.state, model.layout, SomeJob(), [&](std::span<const uint8_t>) {
    return ++parts == 5 ? absl::UnavailableError("gone") : absl::OkStatus();
  });
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(parts, 5);
}

}  // namespace
}  // namespace enigma::engine
