// `enigma chat`: a conversation, line by line, as one growing text.
#include <unistd.h>

#include <cstdio>
#include <iostream>
#include <memory>

#include "base/status_macros.h"
#include "cli/commands/commands.h"
#include "cli/generation/model_choice.h"
#include "cli/generation/sampling_flags.h"
#include "cli/output/standard_output.h"

namespace enigma::cli {

namespace {

struct ChatCommand {
  explicit ChatCommand(Command& command) : model(command), sampling(command) {}
  ModelChoice model;
  SamplingFlags sampling;
  bool raw = false;
};

absl::Status RunChat(const ChatCommand& flags) {
  GenerationRequest request;
  ENIGMA_ASSIGN_OR_RETURN(request.sampling, flags.sampling.Resolve());
  ENIGMA_ASSIGN_OR_RETURN(const Generator generate, flags.model.Open());
  const bool terminal = ::isatty(STDIN_FILENO) == 1;
  if (terminal) {
    std::fputs(
        "The model continues the raw transcript: chat templates are not there yet. An empty line or Ctrl-D ends.\n",
        stderr);
  }
  std::string line;
  while (true) {
    if (terminal) std::fputs("> ", stderr);
    if (!std::getline(std::cin, line) || line.empty()) return absl::OkStatus();
    request.prompt += line + "\n";
    const auto result = generate(request, ShowNow);
    ShowNow("\n");
    ENIGMA_RETURN_IF_ERROR(result.status());
    request.prompt += result->text + "\n";
  }
}

}  // namespace

void AddChat(Command& root) {
  Command command = root.Add("chat", "a conversation, line by line, on the raw transcript");
  auto flags = std::make_shared<ChatCommand>(command);
  command.Switch("--raw", flags->raw, "apply no chat template (the default: there are no templates yet)");
  command.Examples({"enigma chat --model demo", "enigma chat --local model.gguf --temperature 0.8"});
  command.Does([flags] { return RunChat(*flags); });
}

}  // namespace enigma::cli
