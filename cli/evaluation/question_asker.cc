#include "cli/evaluation/question_asker.h"

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

absl::StatusOr<GenerationResult> QuestionAsker::Ask(const std::string& question, uint64_t sample) {
  GenerationRequest request;
  request.sampling = sampling_;
  request.sampling.seed += sample;
  switch (form_) {
    case QuestionForm::kPair:
      request.prompt = "Q: " + question + "\nA:";
      request.sampling.stop.emplace_back(kNextQuestion);
      break;
    case QuestionForm::kChat:
      request.chat = {{"user", question}};
      break;
    case QuestionForm::kRaw:
      request.prompt = question;
      break;
  }
  return model_->Generate(request, [](std::string_view) { return true; });
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
