// `enigma chat`: a conversation, line by line, by the model's chat template.
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <memory>
#include <string>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "cli/commands/commands.h"
#include "cli/generation/model_choice.h"
#include "cli/generation/sampling_flags.h"
#include "cli/output/standard_output.h"
#include "cli/usage_error.h"

namespace enigma::cli {

namespace {

constexpr uint32_t kAnswerTokens = 1024;

struct ChatCommand {
  explicit ChatCommand(Command& command) : model(command), sampling(command, kAnswerTokens) {}
  ModelChoice model;
  SamplingFlags sampling;
  std::string system;
  bool raw = false;
};

// What goes to the model with the next line, and what came of the lines before.
class Conversation {
 public:
  Conversation(const ChatCommand& flags, engine::SamplingParams sampling) : raw_(flags.raw) {
    request_.sampling = std::move(sampling);
    if (!flags.system.empty()) request_.chat.push_back({"system", flags.system});
  }

  const GenerationRequest& Ask(const std::string& line) {
    if (raw_) {
      absl::StrAppend(&request_.prompt, line, "\n");
    } else {
      request_.chat.push_back({"user", line});
    }
    return request_;
  }

  void Remember(const std::string& answer) {
    if (raw_) {
      absl::StrAppend(&request_.prompt, answer, "\n");
    } else {
      request_.chat.push_back({"assistant", answer});
    }
  }

 private:
  const bool raw_;
  GenerationRequest request_;
};

absl::Status CheckTemplate(AnsweringModel& model) {
  ENIGMA_ASSIGN_OR_RETURN(const bool has_template, model.HasChatTemplate());
  if (has_template) return absl::OkStatus();
  return absl::FailedPreconditionError(
      "the model has no chat template, so nothing says how it is to be talked to; `enigma chat --raw` lets it continue "
      "the bare transcript");
}

absl::Status RunChat(const ChatCommand& flags) {
  if (flags.raw && !flags.system.empty()) {
    return UsageError("--system goes with a chat template; with --raw, write it as the first line");
  }
  ENIGMA_ASSIGN_OR_RETURN(engine::SamplingParams sampling, flags.sampling.Resolve());
  ENIGMA_ASSIGN_OR_RETURN(const std::unique_ptr<AnsweringModel> model, flags.model.Open());
  if (!flags.raw) ENIGMA_RETURN_IF_ERROR(CheckTemplate(*model));
  Conversation conversation(flags, std::move(sampling));
  const bool terminal = ::isatty(STDIN_FILENO) == 1;
  if (terminal) std::fputs("An empty line or Ctrl-D ends the conversation.\n", stderr);
  std::string line;
  while (true) {
    if (terminal) std::fputs("> ", stderr);
    if (!std::getline(std::cin, line) || line.empty()) return absl::OkStatus();
    const auto result = model->Generate(conversation.Ask(line), ShowNow);
    ShowNow("\n");
    ENIGMA_RETURN_IF_ERROR(result.status());
    if (!flags.raw && result->finish_reason == "length") {
      std::fprintf(stderr, "(The answer was cut after %zu tokens, by --max-tokens or by the model's context.)\n",
                   result->ids.size());
    }
    if (const std::string who = DescribeRoute(*result); !who.empty()) {
      std::fprintf(stderr, "(Answered by %s.)\n", who.c_str());
    }
    conversation.Remember(result->text);
  }
}

}  // namespace

void AddChat(Command& root) {
  Command command = root.Add("chat", "a conversation, line by line, by the model's chat template");
  auto flags = std::make_shared<ChatCommand>(command);
  command.Text("--system", flags->system, "what the model is told before the conversation", "TEXT").Utf8();
  command.Switch("--raw", flags->raw, "the model continues the bare transcript, without its chat template");
  command.Examples({"enigma chat", "enigma chat --model demo",
                    "enigma chat --model demo --system \"Answer in one sentence.\"",
                    "enigma chat --local model.gguf --temperature 0.8"});
  command.Does([flags] { return RunChat(*flags); });
}

}  // namespace enigma::cli
