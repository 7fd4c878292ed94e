// Outputs by schema, through stages linked as in a cluster.
#include <map>

#include <absl/strings/str_cat.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine/sampling/constraint/constraint_cache.h"
#include "engine/sampling/local_generator.h"
#include "tests/support/synthetic_models.h"
#include "tests/unit/engine/sampling/constraint/schema_validator.h"
#include "tests/unit/worker/pipeline_fixture.h"
#include "worker/pipeline/sampling_params.h"

namespace enigma::worker {
namespace {

using ::testing::HasSubstr;

constexpr char kSchema[] =
    R"({"type":"object","properties":{"name":{"type":"string","maxLength":6},"age":{"type":"integer","minimum":0,
        "maximum":99},"kind":{"enum":["cat","dog"]}},"required":["name","age","kind"],"additionalProperties":false})";

// Arrays of sixteen kinds in each other: every bracket multiplies the readings, until there are too many.
std::string AmbiguousSchema() {
  std::string kinds;
  for (int i = 1; i <= 16; ++i) {
    absl::StrAppend(&kinds, i > 1 ? "," : "", R"({"type":"array","items":{"$ref":"#/$defs/a"},"maxItems":)", i, "}");
  }
  return absl::StrCat(R"({"$ref":"#/$defs/a","$defs":{"a":{"anyOf":[)", kinds, "]}}}");
}

class ConstrainedPipeline : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    path_ = new std::string(enigma::testing::SyntheticModelPath("tiny", "f32"));
    auto local = engine::LocalGenerator::Open(*path_, {});
    ASSERT_TRUE(local.ok()) << local.status();
    local_ = local->release();
  }
  static void TearDownTestSuite() {
    delete local_;
    delete path_;
  }

  static v1::OpenSequence Request(uint64_t id, bool constrained) {
    v1::OpenSequence open;
    open.set_sequence(id);
    open.set_epoch(1);
    for (int i = 0; i < 5 + static_cast<int>(id); ++i) open.add_prompt(3 + (static_cast<int>(id) * 31 + i * 7) % 400);
    open.mutable_sampling()->set_temperature(1);
    open.mutable_sampling()->set_seed(id);
    open.mutable_sampling()->set_max_tokens(120);
    open.set_constrained(constrained);
    return open;
  }

  static engine::LocalGenerator::Result Expected(const v1::OpenSequence& open) {
    engine::SamplingParams params = FromProto(open.sampling());
    if (open.constrained()) params.constraint = engine::ConstraintCache(local_->tokenizer()).Get(kSchema).value();
    auto result = local_->Generate({open.prompt().begin(), open.prompt().end()}, params, [](auto) { return true; });
    EXPECT_TRUE(result.ok()) << result.status();
    return result.value_or(engine::LocalGenerator::Result());
  }

  static std::string* path_;
  static engine::LocalGenerator* local_;
};
std::string* ConstrainedPipeline::path_ = nullptr;
engine::LocalGenerator* ConstrainedPipeline::local_ = nullptr;

TEST_F(ConstrainedPipeline, OutputsKeepToTheirSchemaAlikeForAnyCutAndBatch) {
  constexpr uint64_t kSequences = 6;
  const auto schema = nlohmann::json::parse(kSchema);
  std::map<uint64_t, engine::LocalGenerator::Result> expected;
  for (uint64_t id = 1; id <= kSequences; ++id) expected[id] = Expected(Request(id, /*constrained=*/id != 3));
  for (const std::vector<uint32_t>& cuts : {std::vector<uint32_t>{0}, std::vector<uint32_t>{0, 1, 3}}) {
    SCOPED_TRACE(cuts.size());
    PipelineFixture pipeline({.model_path = *path_, .cuts = cuts});
    for (uint64_t id = 1; id <= kSequences; ++id) {
      const v1::OpenSequence open = Request(id, id != 3);
      if (open.constrained()) {
        ASSERT_TRUE(pipeline.last().PrepareConstraint(id, kSchema).ok());
      }
      ASSERT_TRUE(pipeline.first().Open(open).ok());
    }
    const auto ended = pipeline.Collect(kSequences);
    for (const auto& [id, result] : expected) {
      EXPECT_EQ(ended.at(id).error, "");
      EXPECT_EQ(ended.at(id).ids, result.ids) << id;
      EXPECT_EQ(ended.at(id).finish_reason, result.finish_reason) << id;
      if (id == 3) continue;
      EXPECT_EQ(ended.at(id).finish_reason, "stop") << "the schema allows less than the budget";
      const std::string text = engine::Decode(local_->tokenizer(), ended.at(id).ids);
      const auto value = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
      ASSERT_FALSE(value.is_discarded()) << text;
      EXPECT_EQ(enigma::testing::SchemaViolation(schema, schema, value), "") << text;
    }
    EXPECT_TRUE(pipeline.failures().empty());
  }
}

TEST_F(ConstrainedPipeline, WhatCannotBeConstrainedEndsAloneWithItsReason) {
  PipelineFixture pipeline({.model_path = *path_, .cuts = {0, 2}});
  // Nothing was prepared for the first; the second's brackets multiply its readings without end.
  ASSERT_TRUE(pipeline.first().Open(Request(1, true)).ok());
  v1::OpenSequence ambiguous = Request(2, true);
  ambiguous.mutable_sampling()->set_temperature(0);
  const auto bracket = local_->tokenizer().Encode("a[", {}).back();
  v1::LogitBias* const bias = ambiguous.mutable_sampling()->add_logit_bias();
  bias->set_id(bracket);
  bias->set_value(100);
  ASSERT_TRUE(pipeline.last().PrepareConstraint(2, AmbiguousSchema()).ok());
  ASSERT_TRUE(pipeline.first().Open(ambiguous).ok());
  const v1::OpenSequence plain = Request(3, false);
  ASSERT_TRUE(pipeline.first().Open(plain).ok());
  const auto ended = pipeline.Collect(3);
  EXPECT_THAT(ended.at(1).error, HasSubstr("is not on the last stage any more"));
  EXPECT_TRUE(ended.at(1).ids.empty());
  EXPECT_THAT(ended.at(2).error, HasSubstr("too many readings"));
  EXPECT_EQ(ended.at(3).ids, Expected(plain).ids);
  EXPECT_TRUE(pipeline.failures().empty());
  for (size_t i = 0; i < 2; ++i) {
    while (pipeline.stage(i).Status().sequences() > 0) absl::SleepFor(absl::Milliseconds(1));
  }
  EXPECT_EQ(pipeline.first().free_blocks(), 64U);
}

TEST_F(ConstrainedPipeline, BadSchemasAndOtherStagesAreRefused) {
  PipelineFixture pipeline({.model_path = *path_, .cuts = {0, 2}});
  const absl::Status unsupported = pipeline.last().PrepareConstraint(1, R"({"multipleOf":3})");
  EXPECT_TRUE(absl::IsInvalidArgument(unsupported));
  EXPECT_THAT(std::string(unsupported.message()), HasSubstr("multipleOf"));
  EXPECT_TRUE(absl::IsFailedPrecondition(pipeline.first().PrepareConstraint(1, kSchema)));
}

TEST_F(ConstrainedPipeline, AShelfKeepsOneForEachSequenceAndForgetsWhatIsNeverFetched) {
  ConstraintShelf shelf(local_->tokenizer());
  for (uint64_t id = 1; id <= ConstraintShelf::kWaitingMax + 2; ++id) ASSERT_TRUE(shelf.Put(id, kSchema).ok());
  EXPECT_EQ(shelf.Take(2), nullptr);
  const auto third = shelf.Take(3);
  ASSERT_NE(third, nullptr);
  EXPECT_EQ(shelf.Take(3), nullptr);
  EXPECT_EQ(shelf.Take(4), third) << "one constraint for one schema";
  shelf.Drop(5);
  EXPECT_EQ(shelf.Take(5), nullptr);
  // More schemas than are remembered: each sequence still has its own.
  for (uint64_t id = 1000; id < 1100; ++id) {
    ASSERT_TRUE(shelf.Put(id, absl::StrCat(R"({"const":)", id, "}")).ok());
  }
  for (uint64_t id = 1000; id < 1100; ++id) EXPECT_NE(shelf.Take(id), nullptr) << id;
}

// A sequence that is dropped before it ever ran leaves nothing behind.
TEST_F(ConstrainedPipeline, CancelledBeforeItRanItIsForgottenOnTheLastStageToo) {
  SequenceBook book({.kv_blocks = 8, .context = 256});
  v1::OpenSequence open = Request(9, true);
  ASSERT_TRUE(book.Open(open).ok());
  EXPECT_TRUE(book.Cancel(9));
  const auto plan = book.FormStep();
  ASSERT_TRUE(plan);
  EXPECT_EQ(plan->closes, std::vector<uint64_t>{9});
  ASSERT_TRUE(book.Finish(plan->step, {}).ok());
  open.set_constrained(false);
  ASSERT_TRUE(book.Open(open).ok());
  EXPECT_TRUE(book.Cancel(9));
  EXPECT_FALSE(book.FormStep());
}

}  // namespace
}  // namespace enigma::worker
