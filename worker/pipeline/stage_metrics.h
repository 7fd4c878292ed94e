#pragma once

#include <string>

#include "telemetry/metrics.h"

namespace enigma::worker {

// The series of one stage, looked up once. The registry must outlive it.
struct StageMetrics {
  StageMetrics(Metrics& metrics, const std::string& model, uint32_t stage_index)
      : StageMetrics(metrics, MetricLabels{{"model_name", model}, {"stage", std::to_string(stage_index)}},
                     MetricLabels{{"model_name", model}}) {}

  prometheus::Counter& steps;
  prometheus::Histogram& step_seconds;
  prometheus::Histogram& rows;
  prometheus::Counter& queue_seconds;
  prometheus::Counter& compute_seconds;
  prometheus::Counter& round_trip_seconds;  // first stage of several
  prometheus::Counter& preemptions;         // first stage
  prometheus::Counter& link_bytes;
  prometheus::Counter& link_frames;
  prometheus::Counter& link_send_seconds;
  prometheus::Counter& received_bytes;
  prometheus::Counter& received_frames;
  prometheus::Counter& frames_rejected;
  prometheus::Gauge& kv_usage;  // set by the first stage

 private:
  StageMetrics(Metrics& metrics, const MetricLabels& labels, const MetricLabels& model)
      : steps(metrics.Counter(Metric::kStageSteps, labels)),
        step_seconds(metrics.Histogram(Metric::kStageStepSeconds, labels)),
        rows(metrics.Histogram(Metric::kStageRows, labels)),
        queue_seconds(metrics.Counter(Metric::kStageQueueSeconds, labels)),
        compute_seconds(metrics.Counter(Metric::kStageComputeSeconds, labels)),
        round_trip_seconds(metrics.Counter(Metric::kStageRoundTripSeconds, labels)),
        preemptions(metrics.Counter(Metric::kPreemptions, model)),
        link_bytes(metrics.Counter(Metric::kLinkBytesSent, labels)),
        link_frames(metrics.Counter(Metric::kLinkFramesSent, labels)),
        link_send_seconds(metrics.Counter(Metric::kLinkSendSeconds, labels)),
        received_bytes(metrics.Counter(Metric::kLinkBytesReceived, labels)),
        received_frames(metrics.Counter(Metric::kLinkFramesReceived, labels)),
        frames_rejected(metrics.Counter(Metric::kLinkFramesRejected, labels)),
        kv_usage(metrics.Gauge(Metric::kKvCacheUsage, model)) {}
};

}  // namespace enigma::worker
