// `enigma data`: training sets that are made, not stored.
#include "cli/commands/commands.h"

namespace enigma::cli {

void AddData(Command& root) {
  Command command = root.Add("data", "make training data: scenes");
  command.NeedsSubcommand();
  AddDataScenes(command);
}

}  // namespace enigma::cli
