#pragma once

#include <memory>
#include <string>

#include <absl/base/thread_annotations.h>
#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>

#include "base/clock.h"

namespace enigma::coordinator {

// Who did what, when, and how it ended: one JSON line for each administrative act, in a file that only its owner may
// read. {"time": "2026-11-21T10:00:00.000Z", "node_id", "role", "peer", "act", "object", "outcome"}. The file is
// opened anew for each line, so it may be moved away at any time. Thread-safe.
class AuditLog {
 public:
  struct Act {
    std::string node_id;  // of the caller's certificate; empty with --insecure, where nobody proves anything
    std::string role;     // "admin", "coordinator", "worker"; likewise "unproved"
    std::string peer;     // as gRPC names it: "ipv4:10.0.0.2:5123"
    std::string act;      // "keys.create", as the command is called
    std::string object;   // the key, the model, the node
    absl::Status outcome;
  };

  // The clock must outlive it. An error when the file cannot be written; it names the path.
  static absl::StatusOr<std::unique_ptr<AuditLog>> Open(std::string path, const Clock& clock);

  // On return the line is on the disk. What cannot be written is an error in the log of the program, with the line.
  void Record(const Act& act);

 private:
  AuditLog(std::string path, const Clock& clock) : path_(std::move(path)), clock_(clock) {}
  absl::Status Append(const std::string& line) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string path_;
  const Clock& clock_;
  absl::Mutex mutex_;  // one line at a time
};

}  // namespace enigma::coordinator
