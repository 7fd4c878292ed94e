#include "coordinator/scheduling/turn.h"

namespace enigma::coordinator {
namespace {

constexpr absl::Duration kNormalAfterHigh = absl::Seconds(10);
constexpr absl::Duration kLowAfterNormal = absl::Seconds(30);

}  // namespace

absl::Duration TurnOf(enigma::v1::Priority priority, absl::Duration arrived) {
  if (priority == enigma::v1::PRIORITY_HIGH) return arrived;
  if (priority == enigma::v1::PRIORITY_LOW) return arrived + kNormalAfterHigh + kLowAfterNormal;
  return arrived + kNormalAfterHigh;
}

}  // namespace enigma::coordinator
