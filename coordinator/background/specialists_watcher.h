#pragma once

#include <optional>
#include <string>
#include <thread>

#include <absl/status/status.h>
#include <absl/synchronization/notification.h>
#include <absl/time/time.h>

#include "coordinator/operations/control_plane.h"
#include "coordinator/routing/specialist_registry.h"
#include "coordinator/state/model_files.h"

namespace enigma::coordinator {

// Keeps the registry of specialists as its file is: reads the file again when it has changed, and, while a model that
// it names is missing, again and again. A file that is wrong changes nothing; its error is logged, and told to who asks
// (SpecialistRegistry::fault). Has a thread of its own.
class SpecialistsWatcher {
 public:
  struct Options {
    std::string path;
    absl::Duration period = absl::Seconds(1);
  };
  SpecialistsWatcher(ControlPlane& plane, SpecialistRegistry& registry, const Options& options);
  ~SpecialistsWatcher();

  // Before Start: the first reading. What is wrong with the file is an error, except that a model may still be
  // missing, or its file away.
  absl::Status ReadFirst();
  void Start();

 private:
  void Run();
  // OK when what the file says is in force.
  absl::Status Read();
  void Look();

  ControlPlane& plane_;
  SpecialistRegistry& registry_;
  const Options options_;
  std::optional<FileStamp> stamp_;  // of the file as it was read last
  absl::Status last_;               // how that went
  absl::Notification stopping_;
  std::thread thread_;
};

}  // namespace enigma::coordinator
