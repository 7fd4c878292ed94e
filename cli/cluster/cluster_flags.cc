#include "cli/cluster/cluster_flags.h"

namespace enigma::cli {

void ClusterFlags::AddTo(Command& command) {
  command
      .Text("--data-dir", data_dir,
            "data directory of the coordinator, which holds its address and the keys of "
            "its operator (default: $XDG_DATA_HOME/enigma or ~/.local/share/enigma)",
            "PATH")
      .Or("ENIGMA_DATA_DIR");
  command
      .Text("--coordinator", coordinator, "address of the coordinator (default: as the data directory says)",
            "HOST:PORT")
      .Or("ENIGMA_COORDINATOR");
  command
      .Number("--connect-timeout", connect_seconds,
              "how long a busy coordinator may take to accept the connection (default 10)", "SECONDS")
      .Between(0.1, 3600)
      .Or("ENIGMA_CONNECT_TIMEOUT");
  command.Switch("--insecure", insecure, "the coordinator runs with --insecure (laboratories only)");
}

}  // namespace enigma::cli
