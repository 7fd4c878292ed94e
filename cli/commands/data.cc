// `enigma data`: files to train on that are made, not stored.
#include "cli/commands/commands.h"

namespace enigma::cli {

void AddData(Command& root) {
  Command command = root.Add("data", "make training data, without what judges the model: code, math, scenes");
  command.NeedsSubcommand();
  AddDataCode(command);
  AddDataMath(command);
  AddDataScenes(command);
}

}  // namespace enigma::cli
