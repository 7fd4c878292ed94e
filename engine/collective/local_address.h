#pragma once

#include <string>
#include <vector>

#include <absl/status/statusor.h>

namespace enigma::engine {

// Of the names and addresses by which others know this machine, best first, the numeric address of the first one that
// a socket can be bound to here; loopback only where there is no other. FailedPrecondition, with the names, where all
// of them stand for something else, such as a proxy in front of this machine.
absl::StatusOr<std::string> LocalAddress(const std::vector<std::string>& hosts);

}  // namespace enigma::engine
