#pragma once

#include <string_view>

#include <absl/status/status.h>

namespace enigma::cli {

// Shows text at once, as it is made. False when stdout takes no more (a full disk, a closed pipe): then there is no use
// in making more, and FinishOutput says why.
bool ShowNow(std::string_view text);

// Call when a command has written all its results: whether every byte of stdout was taken.
absl::Status FinishOutput();

}  // namespace enigma::cli
