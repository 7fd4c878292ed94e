#pragma once

#include <string>

#include "telemetry/metrics.h"

namespace enigma::coordinator {

// The series of requests for one model, looked up once for each request. The registry must outlive it.
struct GenerationMetrics {
  GenerationMetrics(Metrics& registry, const std::string& model)
      : GenerationMetrics(registry, MetricLabels{{"model_name", model}}) {}

  prometheus::Counter& prompt_tokens;      // of requests that were taken
  prometheus::Counter& generation_tokens;  // as they come
  prometheus::Histogram& first_token;
  prometheus::Histogram& token_gap;
  prometheus::Histogram& token_gap_old_name;
  prometheus::Histogram& token_mean;
  prometheus::Histogram& queued;
  prometheus::Histogram& prefill;
  prometheus::Histogram& decode;
  prometheus::Histogram& inference;
  prometheus::Histogram& whole;
  prometheus::Histogram& prompt_length;
  prometheus::Histogram& answer_length;
  prometheus::Histogram& answer_length_asked;

  // The requests that a full queue refused: each once, whatever it asks for.
  static prometheus::Counter& RejectionsOf(Metrics& registry, const std::string& model) {
    return registry.Counter(Metric::kAdmissionRejections, {{"model_name", model}, {"reason", "queue_full"}});
  }

  // `reason`: "stop", "length", "abort" (the client went away), "error".
  void CountEnd(const char* reason) const {
    registry_.Counter(Metric::kRequestsFinished, {{"model_name", model_}, {"finished_reason", reason}}).Increment();
  }

 private:
  GenerationMetrics(Metrics& registry, const MetricLabels& labels)
      : prompt_tokens(registry.Counter(Metric::kPromptTokens, labels)),
        generation_tokens(registry.Counter(Metric::kGenerationTokens, labels)),
        first_token(registry.Histogram(Metric::kTimeToFirstToken, labels)),
        token_gap(registry.Histogram(Metric::kInterTokenLatency, labels)),
        token_gap_old_name(registry.Histogram(Metric::kTimePerOutputToken, labels)),
        token_mean(registry.Histogram(Metric::kRequestTimePerOutputToken, labels)),
        queued(registry.Histogram(Metric::kRequestQueueTime, labels)),
        prefill(registry.Histogram(Metric::kRequestPrefillTime, labels)),
        decode(registry.Histogram(Metric::kRequestDecodeTime, labels)),
        inference(registry.Histogram(Metric::kRequestInferenceTime, labels)),
        whole(registry.Histogram(Metric::kRequestSeconds, labels)),
        prompt_length(registry.Histogram(Metric::kRequestPromptTokens, labels)),
        answer_length(registry.Histogram(Metric::kRequestGenerationTokens, labels)),
        answer_length_asked(registry.Histogram(Metric::kRequestParamsMaxTokens, labels)),
        registry_(registry),
        model_(labels.at("model_name")) {}

  Metrics& registry_;
  const std::string model_;
};

}  // namespace enigma::coordinator
