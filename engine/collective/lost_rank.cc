#include "engine/collective/lost_rank.h"

#include <string>

#include <absl/strings/cord.h>
#include <absl/strings/numbers.h>

#include "base/text.h"

namespace enigma::engine {
namespace {

constexpr char kPayload[] = "enigma.v1/lost_rank";

}  // namespace

absl::Status LostRankError(uint32_t rank, std::string_view message) {
  absl::Status status = absl::UnavailableError(ToAbsl(message));
  status.SetPayload(kPayload, absl::Cord(std::to_string(rank)));
  return status;
}

std::optional<uint32_t> LostRank(const absl::Status& status) {
  const auto payload = status.GetPayload(kPayload);
  uint32_t rank = 0;
  if (!payload || !absl::SimpleAtoi(std::string(*payload), &rank)) return std::nullopt;
  return rank;
}

}  // namespace enigma::engine
