#include "rpc/clock_skew.h"

#include <absl/strings/str_cat.h>

namespace enigma {

std::string DescribeClockSkew(absl::Time local, absl::Time remote) {
  const absl::Duration ahead = local - remote;
  const absl::Duration size = absl::AbsDuration(ahead);
  if (size <= kClockSkewTolerated) return "";
  return absl::StrCat("this machine's clock is ", absl::FormatDuration(absl::Trunc(size, absl::Seconds(1))),
                      ahead > absl::ZeroDuration() ? " ahead of" : " behind", " the coordinator's");
}

}  // namespace enigma
