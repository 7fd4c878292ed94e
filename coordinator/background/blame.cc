#include "coordinator/background/blame.h"

#include <algorithm>

namespace enigma::coordinator {

size_t CauseAmong(std::span<const FailureReport> reports) {
  const auto spoke = [&](const std::string& node) {
    return std::any_of(reports.begin(), reports.end(), [&](const FailureReport& other) { return other.node == node; });
  };
  const auto first = [&](auto&& is_cause) {
    return static_cast<size_t>(std::find_if(reports.begin(), reports.end(), is_cause) - reports.begin());
  };
  const size_t own = first([](const FailureReport& report) { return report.lost.empty(); });
  if (own < reports.size()) return own;
  const size_t mute = first([&](const FailureReport& report) { return !spoke(report.lost); });
  if (mute < reports.size()) return mute;
  // What a worker saw of another says more than that its stream to here ended.
  const size_t link = first([](const FailureReport& report) { return !report.node.empty(); });
  return link < reports.size() ? link : 0;
}

}  // namespace enigma::coordinator
