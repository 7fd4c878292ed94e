#include "coordinator/gateway/audit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>

#include <absl/strings/str_cat.h>
#include <absl/time/time.h>
#include <nlohmann/json.hpp>

#include "base/status_macros.h"
#include "base/text.h"
#include "telemetry/log.h"

namespace enigma::coordinator {
namespace {

std::string LineOf(const AuditLog::Act& act, absl::Time now) {
  nlohmann::ordered_json line;
  line["time"] = ToString(absl::FormatTime("%Y-%m-%dT%H:%M:%E3SZ", now, absl::UTCTimeZone()));
  line["node_id"] = act.node_id;
  line["role"] = act.role;
  line["peer"] = act.peer;
  line["act"] = act.act;
  line["object"] = act.object;
  line["outcome"] = act.outcome.ok() ? "ok" : Describe(act.outcome);
  // One line whatever is in it: control characters are escaped, and what is no UTF-8 is replaced.
  return line.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace) + "\n";
}

absl::Status WriteAll(int file, const std::string& line) {
  size_t done = 0;
  while (done < line.size()) {
    const ssize_t wrote = write(file, line.data() + done, line.size() - done);
    if (wrote < 0 && errno == EINTR) continue;
    if (wrote < 0) return absl::ErrnoToStatus(errno, "write");
    done += static_cast<size_t>(wrote);
  }
  if (fdatasync(file) != 0) return absl::ErrnoToStatus(errno, "fdatasync");
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<AuditLog>> AuditLog::Open(std::string path, const Clock& clock) {
  std::unique_ptr<AuditLog> log(new AuditLog(std::move(path), clock));
  absl::MutexLock lock(&log->mutex_);
  ENIGMA_RETURN_IF_ERROR(log->Append(""));
  return log;
}

void AuditLog::Record(const Act& act) {
  absl::MutexLock lock(&mutex_);
  const std::string line = LineOf(act, clock_.Now());
  const absl::Status written = Append(line);
  if (!written.ok())
    LogError("{}; the line that is missing there: {}", Describe(written), line.substr(0, line.size() - 1));
}

absl::Status AuditLog::Append(const std::string& line) {
  const int file = open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, S_IRUSR | S_IWUSR);
  if (file < 0) return absl::ErrnoToStatus(errno, absl::StrCat("cannot open the audit log ", path_));
  const absl::Status written = WriteAll(file, line);
  close(file);
  if (written.ok()) return absl::OkStatus();
  return absl::Status(written.code(), absl::StrCat("cannot write to the audit log ", path_, ": ", written.message()));
}

}  // namespace enigma::coordinator
