#pragma once

#include <cstdint>
#include <memory>
#include <string>

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

// Asks one model one question after the other, each as if it were the first. Not thread-safe.
class QuestionAsker {
 public:
  QuestionAsker(std::unique_ptr<AnsweringModel> model, QuestionForm form, engine::SamplingParams sampling);

  // `sample` is added to the seed, so that several answers to a question differ.
  absl::StatusOr<GenerationResult> Ask(const std::string& question, uint64_t sample = 0);

  QuestionForm form() const { return form_; }
  const engine::SamplingParams& sampling() const { return sampling_; }

 private:
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
