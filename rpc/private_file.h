#pragma once

#include <string>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace enigma {

// Writes a file that only its owner may read, atomically: readers see the old contents or the new, also after a crash.
// Makes the folder (0700) where it is missing.
absl::Status WritePrivateFile(const std::string& path, const std::string& contents);

// NOT_FOUND when there is no such file. Warns when others may read it. At most 1 MiB.
absl::StatusOr<std::string> ReadPrivateFile(const std::string& path);

}  // namespace enigma
