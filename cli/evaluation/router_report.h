#pragma once

#include <string>
#include <vector>

#include "cli/output/format.h"
#include "engine/spec/router_spec.h"
#include "eval/router/router_metrics.h"

namespace enigma::cli {

// What `enigma eval router` found.
struct RouterReport {
  std::string model;
  engine::RouterSpec router;
  eval::RouterMetrics metrics;
  eval::ThresholdPoint at_threshold;  // at the router's own
  // Work for a large model that was sent to a small one, and the reverse.
  std::vector<std::string> hard;
  std::vector<std::string> easy;
  eval::SetMistakes hard_to_easy;
  eval::SetMistakes easy_to_hard;
  double seconds_median = 0;  // of one text
  double seconds_p99 = 0;
};

// Keys: model, texts, accuracy, nll, ece, per_label, confusion, oos_texts, oos_auroc (null where there is none),
// temperature, threshold, at_threshold, threshold_curve, mistakes, latency_ms.
Json ToJson(const RouterReport& report);

// For a terminal: numbers, a table of labels, what is taken for what, the curve.
std::string ToText(const RouterReport& report);

}  // namespace enigma::cli
