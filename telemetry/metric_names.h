#pragma once

#include <string>
#include <vector>

namespace enigma {

// Every metric of the product. A metric is added here and in the table of metric_names.cc, nowhere else.
enum class Metric {
  // Discovery
  kBeaconsSent,
  kBeaconSendErrors,
  kBeaconsReceived,
  kBeaconsDropped,
  kDuplicateNodeIds,
  // Membership
  kNodes,
  kJoins,
  kHeartbeatAge,
  kHeartbeatRoundTrip,
  kUnauthorisedCalls,
  // Stages
  kStages,
  kStageSteps,
  kStageStepSeconds,
  kStageRows,
  kPicturesEncoded,
  kPictureSeconds,
  kStageQueueSeconds,
  kStageComputeSeconds,
  kStageRoundTripSeconds,
  kPreemptions,
  kLastStepAge,
  kReplicas,
  kReady,
  kLinkBytesSent,
  kLinkFramesSent,
  kLinkSendSeconds,
  kLinkBytesReceived,
  kLinkFramesReceived,
  kLinkFramesRejected,
  // Weights
  kPieceBytesFetched,
  kPieceBytesServed,
  kPieceFetchFailures,
  // Requests
  kRoutes,
  kRouteIntents,
  kRouteConfidence,
  kRouteSeconds,
  kRequestsWaiting,
  kRequestsRunning,
  kKvCacheUsage,
  kCacheConfig,
  kAdmissionRejections,
  kPromptTokens,
  kGenerationTokens,
  kRequestsFinished,
  kTimeToFirstToken,
  kInterTokenLatency,
  kTimePerOutputToken,
  kRequestTimePerOutputToken,
  kRequestQueueTime,
  kRequestPrefillTime,
  kRequestDecodeTime,
  kRequestInferenceTime,
  kRequestSeconds,
  kRequestPromptTokens,
  kRequestGenerationTokens,
  kRequestParamsMaxTokens,
  // Training
  kJobs,
  kJobStep,
  kJobSteps,
  kJobSecondsLeft,
  kJobLoss,
  kJobValidationLoss,
  kJobTokensPerSecond,
  kJobGradientNorm,
  kJobLearningRate,
  kJobMfu,
  kJobWireShare,
  kJobEpochs,
  kJobRanksLost,
  // Build
  kBuildInfo,
  kCount_,
};

enum class MetricKind { kCounter, kGauge, kHistogram };

struct MetricInfo {
  Metric metric;
  MetricKind kind;
  const char* name;
  const char* help;
  std::vector<double> buckets;  // upper bounds; histograms only
};

const MetricInfo& Describe(Metric metric);

// In the order of the enum.
const std::vector<MetricInfo>& AllMetrics();

}  // namespace enigma
