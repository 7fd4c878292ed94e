// `enigma eval`: quality of models, as numbers.
#include "cli/commands/commands.h"

namespace enigma::cli {

void AddEval(Command& root) {
  Command command = root.Add("eval", "how good a model is: numbers, and a table");
  command.NeedsSubcommand();
  AddEvalCaption(command);
  AddEvalCode(command);
  AddEvalMath(command);
  AddEvalPerplexity(command);
  AddEvalRouter(command);
}

}  // namespace enigma::cli
