#pragma once

#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "cli/daemon/stop_signals.h"

namespace enigma::cli {

// A new folder for files that are to take their place once they are whole. It goes with this object, and with what is
// in it where a signal (SIGINT, SIGTERM) ends the program, whose status is 130 then. Make it before any other thread
// exists (StopSignals).
class UnfinishedFolder {
 public:
  // On the disk of `path`, beside it. FailedPrecondition where it cannot be made.
  static absl::StatusOr<std::unique_ptr<UnfinishedFolder>> MakeBeside(const std::string& path);
  ~UnfinishedFolder();
  UnfinishedFolder(const UnfinishedFolder&) = delete;
  UnfinishedFolder& operator=(const UnfinishedFolder&) = delete;

  std::string PathOf(const std::string& name) const { return folder_ + "/" + name; }

 private:
  explicit UnfinishedFolder(std::string folder);
  void Remove() const;

  const std::string folder_;
  const StopSignals signals_;
};

}  // namespace enigma::cli
