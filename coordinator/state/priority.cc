#include "coordinator/state/priority.h"

namespace enigma::coordinator {

std::string_view PriorityName(enigma::v1::Priority priority) {
  switch (priority) {
    case enigma::v1::PRIORITY_LOW:
      return "low";
    case enigma::v1::PRIORITY_NORMAL:
      return "normal";
    case enigma::v1::PRIORITY_HIGH:
      return "high";
    default:
      return "any";
  }
}

std::optional<enigma::v1::Priority> ParsePriority(std::string_view name) {
  for (const auto priority : {enigma::v1::PRIORITY_LOW, enigma::v1::PRIORITY_NORMAL, enigma::v1::PRIORITY_HIGH}) {
    if (PriorityName(priority) == name) return priority;
  }
  return std::nullopt;
}

}  // namespace enigma::coordinator
