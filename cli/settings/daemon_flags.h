#pragma once

#include <memory>
#include <string>

#include "cli/command/command.h"
#include "cli/settings/settings.h"

namespace enigma::cli {

// The flags of one daemon's command, made from the option table.
class DaemonFlags {
 public:
  DaemonFlags(Command& command, unsigned daemon);
  // After parsing: file, environment and flags together.
  absl::StatusOr<Settings> Resolve() const;

 private:
  unsigned daemon_;
  // CLI11 keeps pointers into these; they do not move after construction.
  std::string config_file_;
  Settings::Values values_;
  std::map<std::string, bool> switches_;
};

// $XDG_DATA_HOME/enigma, else ~/.local/share/enigma.
std::string DefaultDataDir();

}  // namespace enigma::cli
