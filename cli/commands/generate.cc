// `enigma generate`: one answer, by the model's chat template where it has one, or a text continued.
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <utility>

#include "base/status_macros.h"
#include "cli/commands/commands.h"
#include "cli/generation/model_choice.h"
#include "cli/generation/sampling_flags.h"
#include "cli/input/read_text.h"
#include "cli/output/standard_output.h"
#include "cli/usage_error.h"

namespace enigma::cli {

namespace {

struct GenerateCommand {
  explicit GenerateCommand(Command& command) : model(command), sampling(command) {}
  ModelChoice model;
  SamplingFlags sampling;
  std::string prompt;
  std::string prompt_ids;
  std::string json_schema;
  bool parse_special = false;
  bool raw = false;
  bool json = false;
};

absl::StatusOr<GenerationRequest> RequestOf(const GenerateCommand& flags, bool has_prompt) {
  GenerationRequest request;
  ENIGMA_ASSIGN_OR_RETURN(request.sampling, flags.sampling.Resolve());
  request.parse_special = flags.parse_special;
  if (flags.json_schema.starts_with('@')) {
    ENIGMA_ASSIGN_OR_RETURN(request.json_schema, ReadText(flags.json_schema.substr(1)));
  } else if (!flags.json_schema.empty()) {
    request.json_schema = flags.json_schema;
  }
  if (!flags.prompt_ids.empty()) {
    if (has_prompt) return UsageError("give a PROMPT or --prompt-ids, not both");
    ENIGMA_ASSIGN_OR_RETURN(request.prompt_ids, ParseTokenIds(flags.prompt_ids));
  } else if (!has_prompt || flags.prompt == "-") {
    if (::isatty(STDIN_FILENO) == 1) std::fputs("Reading the prompt from the terminal; Ctrl-D ends it.\n", stderr);
    ENIGMA_ASSIGN_OR_RETURN(request.prompt, ReadText("-"));
  } else {
    request.prompt = flags.prompt;
  }
  return request;
}

// Puts the prompt into the model's chat template, unless it has none, or the prompt is to be taken as it is.
absl::Status ApplyTemplate(const GenerateCommand& flags, AnsweringModel& model, GenerationRequest& request) {
  if (flags.raw || flags.parse_special || !request.prompt_ids.empty()) return absl::OkStatus();
  ENIGMA_ASSIGN_OR_RETURN(const bool has_template, model.HasChatTemplate());
  if (has_template) {
    request.chat = {{"user", std::exchange(request.prompt, "")}};
  } else {
    std::fputs("The model has no chat template: the text is continued as it stands, as with --raw.\n", stderr);
  }
  return absl::OkStatus();
}

absl::Status RunGenerate(const GenerateCommand& flags, bool has_prompt) {
  ENIGMA_RETURN_IF_ERROR(flags.model.Check());
  ENIGMA_ASSIGN_OR_RETURN(GenerationRequest request, RequestOf(flags, has_prompt));
  ENIGMA_ASSIGN_OR_RETURN(const std::unique_ptr<AnsweringModel> model, flags.model.Open());
  ENIGMA_RETURN_IF_ERROR(ApplyTemplate(flags, *model, request));
  bool shown = false;
  const TextSink show = [&flags, &shown](std::string_view text) {
    if (flags.json) return true;
    shown = true;
    return ShowNow(text);
  };
  const auto result = model->Generate(request, show);
  // What was streamed stays a line of its own, also when the stream broke.
  if (shown || (!flags.json && result.ok())) std::fputc('\n', stdout);
  ENIGMA_RETURN_IF_ERROR(result.status());
  if (flags.json) PrintJson(ToJson(*result));
  if (const std::string who = DescribeRoute(*result); !flags.json && !who.empty()) {
    std::fprintf(stderr, "Answered by %s.\n", who.c_str());
  }
  return absl::OkStatus();
}

}  // namespace

void AddGenerate(Command& root) {
  Command command = root.Add("generate", "answer a prompt, or continue a text, token by token");
  auto flags = std::make_shared<GenerateCommand>(command);
  const Argument prompt = command.MaybeEmptyText(
      "PROMPT", flags->prompt, "the text to answer or to continue; - or nothing reads standard input", "");
  command.Text("--prompt-ids", flags->prompt_ids, "token ids instead of a text, taken as they are: 1,2,3", "IDS");
  command.Switch("--parse-special", flags->parse_special,
                 "control tokens in the prompt are tokens, not text; implies --raw");
  command.Text("--json-schema", flags->json_schema,
               "hold the answer to JSON of this schema, or of the one in a file: @FILE (docs/constrained_output.md)",
               "SCHEMA");
  command.Switch("--raw", flags->raw, "continue the text as it stands, without the model's chat template");
  command.Switch("--json", flags->json, "print everything as JSON at the end");
  command.Examples(
      {"enigma generate \"What is 47 plus 38?\"", "enigma generate --model demo \"Once upon a time\"",
       "enigma generate --model demo --raw --temperature 0.8 --top-p 0.95 --seed 7 --max-tokens 400 - < story.txt",
       "enigma generate --local model.gguf --json \"Once upon a time\""});
  command.Does([flags, prompt] { return RunGenerate(*flags, prompt.given()); });
}

}  // namespace enigma::cli
