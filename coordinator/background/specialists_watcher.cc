#include "coordinator/background/specialists_watcher.h"

#include <fstream>
#include <sstream>

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "coordinator/operations/use_specialists.h"
#include "telemetry/log.h"

namespace enigma::coordinator {

SpecialistsWatcher::SpecialistsWatcher(ControlPlane& plane, SpecialistRegistry& registry, const Options& options)
    : plane_(plane), registry_(registry), options_(options) {}

SpecialistsWatcher::~SpecialistsWatcher() {
  stopping_.Notify();
  if (thread_.joinable()) thread_.join();
}

absl::Status SpecialistsWatcher::Read() {
  ENIGMA_ASSIGN_OR_RETURN(const FileStamp stamp, StampOf(options_.path));
  if (stamp.bytes > Specialists::kBytesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat(options_.path, ": ", stamp.bytes, " bytes are more than ", Specialists::kBytesMax));
  }
  std::ifstream in(options_.path, std::ios::binary);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in.is_open() || in.bad()) return absl::UnavailableError(absl::StrCat(options_.path, ": cannot be read"));
  stamp_ = stamp;  // what is written from now on is read next time
  return UseSpecialists(plane_, registry_, text.str(), options_.path);
}

absl::Status SpecialistsWatcher::ReadFirst() {
  last_ = Read();
  if (last_.ok()) return last_;
  registry_.Reject(last_);
  // A model that is missing, or whose file is away: it may come.
  const bool may_come = absl::IsNotFound(last_) || absl::IsFailedPrecondition(last_);
  if (!may_come || !stamp_) return last_;
  LogWarn("the specialists wait for a model: {}", std::string(last_.message()));
  return absl::OkStatus();
}

void SpecialistsWatcher::Start() {
  thread_ = std::thread([this] { Run(); });
}

void SpecialistsWatcher::Run() {
  while (!stopping_.WaitForNotificationWithTimeout(options_.period)) Look();
}

void SpecialistsWatcher::Look() {
  const absl::StatusOr<FileStamp> stamp = StampOf(options_.path);
  const bool changed = !stamp.ok() || stamp_ != *stamp;
  // What was wrong may be right by now: a model may have been imported meanwhile.
  if (!changed && last_.ok()) return;
  const absl::Status read = stamp.ok() ? Read() : stamp.status();
  if (!read.ok() && read != last_) LogError("the specialists stay as they are: {}", std::string(read.message()));
  if (!read.ok()) registry_.Reject(read);
  last_ = read;
}

}  // namespace enigma::coordinator
