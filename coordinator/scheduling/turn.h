#pragma once

#include <absl/time/time.h>

#include "proto/inference.pb.h"

namespace enigma::coordinator {

// When it is a request's turn among those that wait for one model: the earliest goes first. It is its arrival, put off
// by what its class lets others go before it, so that a low one is overtaken by normal ones for half a minute and by
// high ones for ten seconds more, and by nobody after that, however many come. Unspecified counts as normal. Pure.
absl::Duration TurnOf(enigma::v1::Priority priority, absl::Duration arrived);

}  // namespace enigma::coordinator
