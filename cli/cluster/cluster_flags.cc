#include "cli/cluster/cluster_flags.h"

namespace enigma::cli {

void ClusterFlags::AddTo(CLI::App& command) {
  command
      .add_option("--data-dir", data_dir,
                  "data directory of the coordinator, which holds its address and the keys of "
                  "its operator (default: $XDG_DATA_HOME/enigma or ~/.local/share/enigma)")
      ->type_name("PATH")
      ->envname("ENIGMA_DATA_DIR");
  command.add_option("--coordinator", coordinator, "address of the coordinator (default: as the data directory says)")
      ->type_name("HOST:PORT")
      ->envname("ENIGMA_COORDINATOR");
  command.add_flag("--insecure", insecure, "the coordinator runs with --insecure (laboratories only)");
}

}  // namespace enigma::cli
