#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "cli/command/command.h"
#include "cli/generation/generation.h"
#include "cli/generation/model_choice.h"
#include "cli/generation/sampling_flags.h"

namespace enigma::cli {

// How a question becomes a prompt.
enum class QuestionForm {
  kPair,  // "Q: question\nA:", what `enigma train` makes of pairs
  kChat,  // a message of the user, by the model's chat template
  kRaw,   // the question as it stands
};
std::string_view NameOf(QuestionForm form);  // "qa"

struct Question {
  std::string text;
  uint64_t sample = 0;  // added to the seed, so that several answers to a question differ
};

// Asks one model questions, each as if it were the first. Not thread-safe.
class QuestionAsker {
 public:
  QuestionAsker(std::unique_ptr<AnsweringModel> model, QuestionForm form, engine::SamplingParams sampling);

  // Takes the answer to question number `index`. An error ends the asking.
  using AnswerSink = std::function<absl::Status(size_t index, absl::StatusOr<GenerationResult> answer)>;
  // Asks them all, several at once where the model allows it. The answers come in the order of the questions, on this
  // thread.
  absl::Status AskAll(const std::vector<Question>& questions, const AnswerSink& take);

  QuestionForm form() const { return form_; }
  const engine::SamplingParams& sampling() const { return sampling_; }

 private:
  // The answer is not wanted any more once `wanted` is false.
  absl::StatusOr<GenerationResult> Ask(const Question& question, const std::atomic<bool>& wanted);

  const std::unique_ptr<AnsweringModel> model_;
  const QuestionForm form_;
  const engine::SamplingParams sampling_;
};

// The flags of commands that ask a model: which one, how a question is put, how tokens are chosen.
class QuestionFlags {
 public:
  // `max_tokens`: of an answer, where --max-tokens is not given.
  QuestionFlags(Command& command, uint32_t max_tokens);
  // The usage errors alone, before anything is read or opened.
  absl::Status Check() const;
  absl::StatusOr<std::unique_ptr<QuestionAsker>> Open() const;
  // Greedy answers are all the same.
  bool is_greedy() const;

 private:
  ModelChoice model_;
  SamplingFlags sampling_;
  std::string form_ = "auto";
};

}  // namespace enigma::cli
