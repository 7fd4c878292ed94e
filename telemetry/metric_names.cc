#include "telemetry/metric_names.h"

#include <cstddef>

namespace enigma {
namespace {

// Seconds. The same bounds for every latency, so that histograms of different stages can be added.
const std::vector<double>& LatencyBuckets() {
  static const std::vector<double> bounds = {0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1,
                                             0.25,    0.5,    1,     2.5,    5,     10,   25,    60,   120};
  return bounds;
}

// What dashboards of inference servers are drawn for: the bounds that vLLM has for the names that it shares.
const std::vector<double>& FirstTokenBuckets() {
  static const std::vector<double> bounds = {0.001, 0.005, 0.01, 0.02, 0.04, 0.06, 0.08, 0.1, 0.25, 0.5, 0.75,
                                             1,     2.5,   5,    7.5,  10,   20,   40,   80,  160,  640, 2560};
  return bounds;
}
const std::vector<double>& TokenGapBuckets() {
  static const std::vector<double> bounds = {0.01, 0.025, 0.05, 0.075, 0.1, 0.15, 0.2, 0.3, 0.4, 0.5,
                                             0.75, 1,     2.5,  5,     7.5, 10,   20,  40,  80};
  return bounds;
}
const std::vector<double>& RequestBuckets() {
  static const std::vector<double> bounds = {0.3, 0.5, 0.8, 1,  1.5, 2,   2.5, 5,   10,   15,  20,
                                             30,  40,  50,  60, 120, 240, 480, 960, 1920, 7680};
  return bounds;
}
const std::vector<double>& TokenCountBuckets() {
  static const std::vector<double> bounds = {1,   2,    5,    10,   20,    50,    100,   200,
                                             500, 1000, 2000, 5000, 10000, 20000, 50000, 100000};
  return bounds;
}

const std::vector<double>& ConfidenceBuckets() {
  static const std::vector<double> bounds = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95, 0.99, 1};
  return bounds;
}

const std::vector<double>& RowBuckets() {
  static const std::vector<double> bounds = {1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048};
  return bounds;
}

std::vector<MetricInfo> MakeTable() {
  constexpr auto kCounter = MetricKind::kCounter;
  constexpr auto kGauge = MetricKind::kGauge;
  constexpr auto kHistogram = MetricKind::kHistogram;
  return {
      {Metric::kBeaconsSent, kCounter, "enigma_beacons_sent_total", "Discovery beacons sent, by interface.", {}},
      {Metric::kBeaconSendErrors,
       kCounter,
       "enigma_beacon_send_errors_total",
       "Beacons that an interface refused to send.",
       {}},
      {Metric::kBeaconsReceived, kCounter, "enigma_beacons_received_total", "Beacons accepted, by interface.", {}},
      {Metric::kBeaconsDropped, kCounter, "enigma_beacons_dropped_total", "UDP packets dropped, by reason.", {}},
      {Metric::kDuplicateNodeIds,
       kCounter,
       "enigma_duplicate_node_ids_total",
       "Times two live processes were seen to claim one node id.",
       {}},
      {Metric::kNodes, kGauge, "enigma_nodes", "Nodes known to the coordinator, by state.", {}},
      {Metric::kJoins, kCounter, "enigma_joins_total", "Requests to join the cluster, by result.", {}},
      {Metric::kHeartbeatAge, kGauge, "enigma_heartbeat_age_seconds", "Age of the last heartbeat, by node.", {}},
      {Metric::kHeartbeatRoundTrip, kHistogram, "enigma_heartbeat_round_trip_seconds",
       "Time from sending a heartbeat to its answer.", LatencyBuckets()},
      {Metric::kUnauthorisedCalls,
       kCounter,
       "enigma_unauthorised_calls_total",
       "Calls refused for want of a certificate or role.",
       {}},
      {Metric::kStages, kGauge, "enigma_stages", "Stages loaded on this worker.", {}},
      {Metric::kStageSteps, kCounter, "enigma_stage_steps_total", "Steps computed, by replica and stage.", {}},
      {Metric::kStageStepSeconds, kHistogram, "enigma_stage_step_seconds", "Time to compute one step of a stage.",
       LatencyBuckets()},
      {Metric::kStageRows, kHistogram, "enigma_stage_rows", "Token rows in one step of a stage.", RowBuckets()},
      {Metric::kPicturesEncoded,
       kCounter,
       "enigma_pictures_encoded_total",
       "Pictures that image encoders made rows of.",
       {}},
      {Metric::kPictureSeconds, kHistogram, "enigma_picture_seconds", "Time to decode and encode one picture.",
       LatencyBuckets()},
      {Metric::kStageQueueSeconds,
       kCounter,
       "enigma_stage_queue_seconds_total",
       "Time that frames waited on this node before the stage took them up, all together.",
       {}},
      {Metric::kStageComputeSeconds,
       kCounter,
       "enigma_stage_compute_seconds_total",
       "Time that the stage took for its steps, all together.",
       {}},
      {Metric::kStageRoundTripSeconds,
       kCounter,
       "enigma_stage_round_trip_seconds_total",
       "First stage of several: from sending a step on until its tokens are back, all together. What the later stages "
       "do "
       "not account for as queue and compute is the wire.",
       {}},
      {Metric::kPreemptions,
       kCounter,
       "vllm:num_preemptions_total",
       "Sequences that gave their KV blocks to others, to be computed again, by model_name.",
       {}},
      {Metric::kLastStepAge,
       kGauge,
       "enigma_last_step_age_seconds",
       "How long a stage that has work has finished no step; 0 when it has none.",
       {}},
      {Metric::kReplicas,
       kGauge,
       "enigma_replicas",
       "Replicas by model_name and state: loading, ready, stalled (has work, makes no progress), failed.",
       {}},
      {Metric::kReady, kGauge, "enigma_ready", "1 when /health/ready says so, else 0.", {}},
      {Metric::kLinkBytesSent,
       kCounter,
       "enigma_link_bytes_sent_total",
       "Bytes of hidden states sent to the next stage.",
       {}},
      {Metric::kLinkFramesSent, kCounter, "enigma_link_frames_sent_total", "Frames sent to the next stage.", {}},
      {Metric::kLinkSendSeconds,
       kCounter,
       "enigma_link_send_seconds_total",
       "Time that frames waited on this node until the transport had taken them, all together.",
       {}},
      {Metric::kLinkBytesReceived,
       kCounter,
       "enigma_link_bytes_received_total",
       "Bytes of frames that came from the stage before.",
       {}},
      {Metric::kLinkFramesReceived,
       kCounter,
       "enigma_link_frames_received_total",
       "Frames that came from the stage before.",
       {}},
      {Metric::kLinkFramesRejected,
       kCounter,
       "enigma_link_frames_rejected_total",
       "Frames refused because header or lengths were wrong.",
       {}},
      {Metric::kPieceBytesFetched,
       kCounter,
       "enigma_weight_bytes_fetched_total",
       "Weight bytes that moved over the network to this node.",
       {}},
      {Metric::kPieceBytesServed,
       kCounter,
       "enigma_weight_bytes_served_total",
       "Weight bytes sent to other nodes.",
       {}},
      {Metric::kPieceFetchFailures,
       kCounter,
       "enigma_weight_fetch_failures_total",
       "Pieces of weights that a source failed to deliver or delivered wrong.",
       {}},
      {Metric::kRoutes,
       kCounter,
       "enigma_route_total",
       "Requests routed to a specialist, by task, method and the model decided on.",
       {}},
      {Metric::kRouteIntents,
       kCounter,
       "enigma_route_intent_total",
       "Routed requests that the router read, by the intent it found likeliest; \"other\": one that no task has.",
       {}},
      {Metric::kRouteConfidence, kHistogram, "enigma_route_confidence",
       "How sure the router was of the intent that it found likeliest.", ConfidenceBuckets()},
      {Metric::kRouteSeconds, kHistogram, "enigma_route_seconds",
       "Time from a routed request's arrival to the decision, its waiting and the router's reading included.",
       LatencyBuckets()},
      {Metric::kRequestsWaiting,
       kGauge,
       "vllm:num_requests_waiting",
       "Requests that wait to be run, by model_name.",
       {}},
      {Metric::kRequestsRunning, kGauge, "vllm:num_requests_running", "Requests being run, by model_name.", {}},
      {Metric::kKvCacheUsage,
       kGauge,
       "vllm:kv_cache_usage_perc",
       "Share of KV blocks in use, 0 to 1, by model_name.",
       {}},
      {Metric::kCacheConfig,
       kGauge,
       "vllm:cache_config_info",
       "Replicas of a model in service, by model_name, block_size (tokens) and num_gpu_blocks (KV blocks of each, "
       "wherever they lie).",
       {}},
      {Metric::kAdmissionRejections,
       kCounter,
       "vllm:admission_rejections_total",
       "Requests refused because as many waited as may, by model_name and reason.",
       {}},
      {Metric::kPromptTokens, kCounter, "vllm:prompt_tokens_total", "Prompt tokens taken in, by model_name.", {}},
      {Metric::kGenerationTokens, kCounter, "vllm:generation_tokens_total", "Tokens generated, by model_name.", {}},
      {Metric::kRequestsFinished,
       kCounter,
       "vllm:request_success_total",
       "Requests that were taken and have ended, by model_name and finished_reason: stop, length, abort (the client "
       "went "
       "away), error.",
       {}},
      {Metric::kTimeToFirstToken, kHistogram, "vllm:time_to_first_token_seconds",
       "Time from a request's arrival to its first token.", FirstTokenBuckets()},
      {Metric::kInterTokenLatency, kHistogram, "vllm:inter_token_latency_seconds",
       "Time between two tokens of one request.", TokenGapBuckets()},
      {Metric::kTimePerOutputToken, kHistogram, "vllm:time_per_output_token_seconds",
       "The same as vllm:inter_token_latency_seconds, under its former name.", TokenGapBuckets()},
      {Metric::kRequestTimePerOutputToken, kHistogram, "vllm:request_time_per_output_token_seconds",
       "Mean time between the tokens of one request.", TokenGapBuckets()},
      {Metric::kRequestQueueTime, kHistogram, "vllm:request_queue_time_seconds",
       "Time from a request's arrival until a replica has it.", RequestBuckets()},
      {Metric::kRequestPrefillTime, kHistogram, "vllm:request_prefill_time_seconds",
       "Time from when a replica has a request to its first token.", RequestBuckets()},
      {Metric::kRequestDecodeTime, kHistogram, "vllm:request_decode_time_seconds",
       "Time from the first token of a request to its last.", RequestBuckets()},
      {Metric::kRequestInferenceTime, kHistogram, "vllm:request_inference_time_seconds",
       "Time from when a replica has a request to its last token.", RequestBuckets()},
      {Metric::kRequestSeconds, kHistogram, "vllm:e2e_request_latency_seconds",
       "Time from a request's arrival to its end.", RequestBuckets()},
      {Metric::kRequestPromptTokens, kHistogram, "vllm:request_prompt_tokens", "Prompt tokens of one request.",
       TokenCountBuckets()},
      {Metric::kRequestGenerationTokens, kHistogram, "vllm:request_generation_tokens",
       "Tokens generated for one request.", TokenCountBuckets()},
      {Metric::kRequestParamsMaxTokens, kHistogram, "vllm:request_params_max_tokens",
       "Tokens that a request lets its answer have at most.", TokenCountBuckets()},
      {Metric::kJobs, kGauge, "enigma_jobs", "Training jobs by state.", {}},
      {Metric::kJobStep, kGauge, "enigma_job_step", "Steps that a training job has done, by model_name.", {}},
      {Metric::kJobSteps, kGauge, "enigma_job_steps", "Steps that a training job has in all, by model_name.", {}},
      {Metric::kJobSecondsLeft,
       kGauge,
       "enigma_job_seconds_left",
       "Seconds until a training job has done its steps, at its present speed, by model_name.",
       {}},
      {Metric::kJobLoss, kGauge, "enigma_job_loss", "Training loss of the last step, in nats, by model_name.", {}},
      {Metric::kJobValidationLoss,
       kGauge,
       "enigma_job_validation_loss",
       "Loss of the last validation, in nats, by model_name.",
       {}},
      {Metric::kJobTokensPerSecond,
       kGauge,
       "enigma_job_tokens_per_second",
       "Tokens that a training job learned from per second, over the last steps, by model_name.",
       {}},
      {Metric::kJobGradientNorm,
       kGauge,
       "enigma_job_gradient_norm",
       "Norm of the last step's gradient before clipping, by model_name.",
       {}},
      {Metric::kJobLearningRate,
       kGauge,
       "enigma_job_learning_rate",
       "Learning rate of the last step, by model_name.",
       {}},
      {Metric::kJobMfu,
       kGauge,
       "enigma_job_mfu",
       "Operations per second of a training job's steps, of those of the products that its workers measured, by "
       "model_name.",
       {}},
      {Metric::kJobWireShare,
       kGauge,
       "enigma_job_wire_share",
       "Share of a training job's steps in which its first worker waited for the others, by model_name.",
       {}},
      {Metric::kJobEpochs,
       kCounter,
       "enigma_job_epochs_total",
       "Stretches of steps with the same workers that training jobs began, by model_name.",
       {}},
      {Metric::kJobRanksLost,
       kCounter,
       "enigma_job_ranks_lost_total",
       "Workers that training jobs lost while they ran, by model_name.",
       {}},
      {Metric::kBuildInfo, kGauge, "enigma_build_info", "Always 1; the version is in the labels.", {}},
  };
}

}  // namespace

const std::vector<MetricInfo>& AllMetrics() {
  static const std::vector<MetricInfo> table = MakeTable();
  return table;
}

const MetricInfo& Describe(Metric metric) { return AllMetrics()[static_cast<size_t>(metric)]; }

}  // namespace enigma
