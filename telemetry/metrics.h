#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include <prometheus/counter.h>
#include <prometheus/family.h>
#include <prometheus/gauge.h>
#include <prometheus/histogram.h>
#include <prometheus/registry.h>

#include "telemetry/metric_names.h"

namespace enigma {

using MetricLabels = std::map<std::string, std::string>;

// The metrics of one process. Thread-safe. A series is made on first use and lives until the registry dies, so the
// references given out may be kept: look a hot one up once. Labels must come from small sets (an interface, a model),
// never from a request.
class Metrics {
 public:
  Metrics();
  Metrics(const Metrics&) = delete;
  Metrics& operator=(const Metrics&) = delete;

  // Asking for a metric under another kind than the table's is a bug of the caller and ends the process.
  prometheus::Counter& Counter(Metric metric, const MetricLabels& labels = {});
  prometheus::Gauge& Gauge(Metric metric, const MetricLabels& labels = {});
  prometheus::Histogram& Histogram(Metric metric, const MetricLabels& labels = {});

  // All series in the Prometheus text format.
  [[nodiscard]] std::string Text() const;

  // For the exposer, which holds registries weakly.
  [[nodiscard]] const std::shared_ptr<prometheus::Registry>& registry() const { return registry_; }

 private:
  // shared_ptr because prometheus-cpp's exposer keeps a weak_ptr.
  const std::shared_ptr<prometheus::Registry> registry_;
  // Indexed by Metric; only the family of the metric's kind is set.
  std::vector<prometheus::Family<prometheus::Counter>*> counters_;
  std::vector<prometheus::Family<prometheus::Gauge>*> gauges_;
  std::vector<prometheus::Family<prometheus::Histogram>*> histograms_;
};

}  // namespace enigma
