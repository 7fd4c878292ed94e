// Questions that a model of the cluster answers several at a time.
#include "cli/evaluation/question_asker.h"

#include <memory>
#include <string>
#include <vector>

#include <absl/synchronization/mutex.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enigma::cli {
namespace {

using ::testing::ElementsAre;

// Answers with the prompt, but the first question only when `together` of them are asked.
class EchoModel final : public AnsweringModel {
 public:
  EchoModel(size_t at_once, size_t together, std::vector<std::string>& asked)
      : at_once_(at_once), together_(together), asked_(asked) {}

  size_t answers_at_once() const override { return at_once_; }
  absl::StatusOr<GenerationResult> Generate(const GenerationRequest& request, const TextSink& sink) override {
    absl::MutexLock lock(&mutex_);
    asked_.push_back(request.prompt);
    if (request.prompt == "0") {
      const auto enough = [this] { return asked_.size() >= together_; };
      if (!mutex_.AwaitWithTimeout(absl::Condition(&enough), absl::Minutes(1))) return absl::DeadlineExceededError("0");
    }
    if (request.prompt == "bad") return absl::InvalidArgumentError("no");
    if (!sink(request.prompt)) return absl::CancelledError("not wanted");
    GenerationResult result;
    result.text = request.prompt + "/" + std::to_string(request.sampling.seed);
    return result;
  }
  absl::StatusOr<bool> HasChatTemplate() override { return false; }

 private:
  const size_t at_once_;
  const size_t together_;
  absl::Mutex mutex_;
  std::vector<std::string>& asked_;
};

// The answers in the order in which they came, and the status at the end as one more.
std::vector<std::string> Answers(size_t at_once, size_t together, const std::vector<Question>& questions,
                                 std::vector<std::string>& asked) {
  engine::SamplingParams sampling;
  sampling.seed = 5;
  QuestionAsker asker(std::make_unique<EchoModel>(at_once, together, asked), QuestionForm::kRaw, sampling);
  std::vector<std::string> answers;
  const absl::Status end = asker.AskAll(questions, [&](size_t index, absl::StatusOr<GenerationResult> answer) {
    EXPECT_EQ(index, answers.size());
    if (answer.ok()) answers.push_back(answer->text);
    return answer.status();
  });
  answers.push_back(end.ToString());
  return answers;
}

TEST(QuestionAskerTest, AnswersComeInTheOrderOfTheQuestions) {
  std::vector<std::string> asked;
  EXPECT_THAT(Answers(3, 3, {{"0"}, {"1"}, {"1", 1}, {"3"}}, asked), ElementsAre("0/5", "1/5", "1/6", "3/5", "OK"));
  asked.clear();
  EXPECT_THAT(Answers(8, 2, {{"0"}, {"1"}}, asked), ElementsAre("0/5", "1/5", "OK"));
  EXPECT_THAT(Answers(8, 1, {}, asked), ElementsAre("OK"));
}

TEST(QuestionAskerTest, AModelThatAnswersOneAtATimeIsAskedOneAtATime) {
  std::vector<std::string> asked;
  EXPECT_THAT(Answers(1, 1, {{"0"}, {"1"}, {"bad"}, {"3"}}, asked), ElementsAre("0/5", "1/5", "INVALID_ARGUMENT: no"));
  EXPECT_THAT(asked, ElementsAre("0", "1", "bad"));
}

TEST(QuestionAskerTest, NothingIsAskedBehindTheFirstError) {
  std::vector<std::string> asked;
  std::vector<Question> questions = {{"0"}, {"bad"}};
  for (int i = 2; i < 50; ++i) questions.push_back({std::to_string(i)});
  EXPECT_THAT(Answers(4, 4, questions, asked), ElementsAre("0/5", "INVALID_ARGUMENT: no"));
  EXPECT_LE(asked.size(), 5u) << "four, and one more when the first was answered";
}

}  // namespace
}  // namespace enigma::cli
