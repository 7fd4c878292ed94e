#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include <absl/status/status.h>

namespace enigma::engine {

// Unavailable with `message`, which carries along which rank it is due to.
absl::Status LostRankError(uint32_t rank, std::string_view message);

// The rank that a status is due to; empty where no rank was lost.
std::optional<uint32_t> LostRank(const absl::Status& status);

}  // namespace enigma::engine
