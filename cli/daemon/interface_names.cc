#include "cli/daemon/interface_names.h"

#include <algorithm>

#include <absl/strings/str_join.h>

#include "discovery/interfaces.h"
#include "telemetry/log.h"

namespace enigma::cli {

void WarnOfUnknownInterfaces(const std::vector<std::string>& names) {
  const auto listed = ListInterfaces({});
  if (names.empty() || !listed.ok()) return;  // discovery reports the failure, again and again
  std::vector<std::string> known;
  for (const NetworkInterface& interface : *listed) known.push_back(interface.name);
  for (const std::string& name : names) {
    if (std::find(known.begin(), known.end(), name) != known.end()) continue;
    LogWarn("interface {}: this machine has none of that name now, only {}; no beacon leaves there until it has", name,
            absl::StrJoin(known, ", "));
  }
}

}  // namespace enigma::cli
