#include "cli/evaluation/question_asker.h"

#include <deque>
#include <future>
#include <utility>

#include "base/status_macros.h"

namespace enigma::cli {

namespace {

// A model that goes on asking itself has answered; only pairs have such an end.
constexpr char kNextQuestion[] = "\nQ:";

absl::StatusOr<QuestionForm> FormFor(const std::string& name, AnsweringModel& model) {
  if (name == "qa") return QuestionForm::kPair;
  if (name == "chat") return QuestionForm::kChat;
  if (name == "raw") return QuestionForm::kRaw;
  ENIGMA_ASSIGN_OR_RETURN(const bool has_template, model.HasChatTemplate());
  return has_template ? QuestionForm::kChat : QuestionForm::kPair;
}

}  // namespace

std::string_view NameOf(QuestionForm form) {
  return form == QuestionForm::kPair ? "qa" : form == QuestionForm::kChat ? "chat" : "raw";
}

QuestionAsker::QuestionAsker(std::unique_ptr<AnsweringModel> model, QuestionForm form, engine::SamplingParams sampling)
    : model_(std::move(model)), form_(form), sampling_(std::move(sampling)) {}

absl::Status QuestionAsker::AskAll(const std::vector<Question>& questions, const AnswerSink& take) {
  const size_t at_once = model_->answers_at_once();
  const std::launch when = at_once > 1 ? std::launch::async : std::launch::deferred;
  std::atomic<bool> wanted = true;
  std::deque<std::future<absl::StatusOr<GenerationResult>>> answers;  // of the questions from `index` on
  size_t asked = 0;
  for (size_t index = 0; index < questions.size(); ++index) {
    for (; asked < questions.size() && answers.size() < at_once; ++asked) {
      answers.push_back(std::async(when, [&, asked] { return Ask(questions[asked], wanted); }));
    }
    const absl::Status taken = take(index, answers.front().get());
    answers.pop_front();
    if (taken.ok()) continue;
    wanted = false;  // the others end at their next token, and are awaited with their futures
    return taken;
  }
  return absl::OkStatus();
}

absl::StatusOr<GenerationResult> QuestionAsker::Ask(const Question& question, const std::atomic<bool>& wanted) {
  GenerationRequest request;
  request.sampling = sampling_;
  request.sampling.seed += question.sample;
  switch (form_) {
    case QuestionForm::kPair:
      request.prompt = "Q: " + question.text + "\nA:";
      request.sampling.stop.emplace_back(kNextQuestion);
      break;
    case QuestionForm::kChat:
      request.chat = {{"user", question.text}};
      break;
    case QuestionForm::kRaw:
      request.prompt = question.text;
      break;
  }
  return model_->Generate(request, [&](std::string_view) { return wanted.load(); });
}

QuestionFlags::QuestionFlags(Command& command, uint32_t max_tokens)
    : model_(command, ModelChoice::Files::kByEitherFlag), sampling_(command, max_tokens) {
  command
      .Text("--form", form_,
            "how a question is put: qa (Q: and A: lines, as in training), chat (by the model's template), raw, or auto "
            "(default): chat where the model has a template, else qa",
            "FORM")
      .Among({"auto", "qa", "chat", "raw"});
}

absl::Status QuestionFlags::Check() const {
  ENIGMA_RETURN_IF_ERROR(model_.Check());
  return sampling_.Resolve().status();
}

bool QuestionFlags::is_greedy() const {
  const auto params = sampling_.Resolve();
  return params.ok() && params->temperature == 0;
}

absl::StatusOr<std::unique_ptr<QuestionAsker>> QuestionFlags::Open() const {
  ENIGMA_ASSIGN_OR_RETURN(engine::SamplingParams sampling, sampling_.Resolve());
  ENIGMA_ASSIGN_OR_RETURN(std::unique_ptr<AnsweringModel> model, model_.Open());
  ENIGMA_ASSIGN_OR_RETURN(const QuestionForm form, FormFor(form_, *model));
  return std::make_unique<QuestionAsker>(std::move(model), form, std::move(sampling));
}

}  // namespace enigma::cli
