// Questions of labels at the last stage, whoever sent them.
#include "worker/pipeline/label_question.h"

#include <limits>
#include <memory>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/spec/gguf.h"
#include "tests/support/test_data.h"
#include "worker/pipeline/token_sampler.h"

namespace enigma::worker {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

v1::OpenSequence QuestionOf(const std::vector<int32_t>& tokens, double temperature = 1) {
  v1::OpenSequence open;
  open.set_sequence(1);
  open.mutable_labels()->mutable_tokens()->Assign(tokens.begin(), tokens.end());
  open.mutable_labels()->set_temperature(temperature);
  return open;
}

TEST(LabelQuestion, IsAnsweredForNumbersAlone) {
  std::vector<float> logits = {0, 1, 1, 5};
  const v1::OpenSequence open = QuestionOf({1, 2});
  ASSERT_TRUE(CheckLabelQuestion(open, 4).ok());
  const auto scores = AnswerLabelQuestion(open.labels(), logits);
  ASSERT_TRUE(scores.ok()) << scores.status();
  EXPECT_EQ(scores->probabilities, (std::vector<double>{0.5, 0.5}));
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    logits[2] = bad;
    EXPECT_EQ(AnswerLabelQuestion(open.labels(), logits).status().code(), absl::StatusCode::kInternal);
  }
}

// What the first stage checks, the last one does too: a frame may come from anywhere.
class SampledQuestion : public ::testing::Test {
 protected:
  static constexpr uint32_t kVocab = 512;
  void SetUp() override {
    ENIGMA_REQUIRE_DATA(path, "models/stories260K-f32.gguf");
    auto file = engine::GgufFile::Open(path);
    ASSERT_TRUE(file.ok());
    auto tokenizer = engine::Tokenizer::FromGguf((*file)->metadata());
    ASSERT_TRUE(tokenizer.ok());
    tokenizer_ = *std::move(tokenizer);
  }
  v1::TokenEvent EventOf(const v1::OpenSequence& open, const std::vector<float>& logits) const {
    ConstraintShelf shelf(*tokenizer_);
    TokenSampler sampler(*tokenizer_, shelf, kVocab, 64);
    sampler.Open(open);
    v1::TokenEvent event;
    const auto sampled = sampler.Sample(open.sequence(), 3, logits, event);
    EXPECT_TRUE(sampled.ok()) << sampled.status();
    EXPECT_TRUE(sampled.ok() && sampled->finished);
    return event;
  }

  std::unique_ptr<engine::Tokenizer> tokenizer_;
};

TEST_F(SampledQuestion, EndsWithAnErrorWhereItCannotBeAnswered) {
  std::vector<float> logits(kVocab, 0);
  EXPECT_EQ(EventOf(QuestionOf({1, 2}), logits).label_probabilities_size(), 2);
  struct Case {
    v1::OpenSequence open;
    const char* says;
  };
  for (const Case& wrong : {Case{QuestionOf({1, 512}), "label token 512"}, Case{QuestionOf({-1, 2}), "label token -1"},
                            Case{QuestionOf({1, 2}, 0), "is not above 0"}}) {
    const v1::TokenEvent event = EventOf(wrong.open, logits);
    EXPECT_EQ(event.error_code(), static_cast<uint32_t>(absl::StatusCode::kInvalidArgument));
    EXPECT_THAT(event.error(), HasSubstr(wrong.says));
    EXPECT_THAT(event.label_probabilities(), IsEmpty());
  }
  logits[2] = std::numeric_limits<float>::quiet_NaN();
  const v1::TokenEvent event = EventOf(QuestionOf({1, 2}), logits);
  EXPECT_EQ(event.error_code(), static_cast<uint32_t>(absl::StatusCode::kInternal));
  EXPECT_THAT(event.label_probabilities(), IsEmpty());
}

}  // namespace
}  // namespace enigma::worker
