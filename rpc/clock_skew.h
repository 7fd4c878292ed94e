#pragma once

#include <string>

#include <absl/time/time.h>

namespace enigma {

// Differences up to this matter to nothing here.
inline constexpr absl::Duration kClockSkewTolerated = absl::Seconds(5);

// A sentence such as "this machine's clock is 3h2m0s ahead of the coordinator's" (`local` - `remote`), empty when the
// difference is tolerated.
std::string DescribeClockSkew(absl::Time local, absl::Time remote);

}  // namespace enigma
