#include "telemetry/metrics.h"

#include <cstdio>
#include <cstdlib>

#include <prometheus/text_serializer.h>

namespace enigma {
namespace {

template <typename T>
prometheus::Family<T>& Checked(prometheus::Family<T>* family, Metric metric) {
  if (family == nullptr) {
    std::fprintf(stderr, "enigma: metric %s is used as another kind than its table says\n", Describe(metric).name);
    std::abort();
  }
  return *family;
}

}  // namespace

Metrics::Metrics() : registry_(std::make_shared<prometheus::Registry>()) {
  const auto count = static_cast<size_t>(Metric::kCount_);
  counters_.resize(count);
  gauges_.resize(count);
  histograms_.resize(count);
  for (const MetricInfo& info : AllMetrics()) {
    const auto index = static_cast<size_t>(info.metric);
    switch (info.kind) {
      case MetricKind::kCounter:
        counters_[index] = &prometheus::BuildCounter().Name(info.name).Help(info.help).Register(*registry_);
        break;
      case MetricKind::kGauge:
        gauges_[index] = &prometheus::BuildGauge().Name(info.name).Help(info.help).Register(*registry_);
        break;
      case MetricKind::kHistogram:
        histograms_[index] = &prometheus::BuildHistogram().Name(info.name).Help(info.help).Register(*registry_);
        break;
    }
  }
}

prometheus::Counter& Metrics::Counter(Metric metric, const MetricLabels& labels) {
  return Checked(counters_[static_cast<size_t>(metric)], metric).Add(labels);
}

prometheus::Gauge& Metrics::Gauge(Metric metric, const MetricLabels& labels) {
  return Checked(gauges_[static_cast<size_t>(metric)], metric).Add(labels);
}

prometheus::Histogram& Metrics::Histogram(Metric metric, const MetricLabels& labels) {
  return Checked(histograms_[static_cast<size_t>(metric)], metric).Add(labels, Describe(metric).buckets);
}

std::string Metrics::Text() const { return prometheus::TextSerializer().Serialize(registry_->Collect()); }

}  // namespace enigma
