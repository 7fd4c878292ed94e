#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <absl/status/statusor.h>

#include "cli/cluster/cluster_client.h"
#include "cli/training/call_stopper.h"
#include "proto/training.pb.h"

namespace enigma::cli {

enum class WatchOutput {
  kLines,  // a bar and lines on stderr
  kJson,   // one JSON object per update on stdout
  kQuiet,
};

// Follows a job until it has ended, or Ctrl-C detaches (then what it was like last is returned). A coordinator that
// goes away meanwhile is looked for again for a while.
absl::StatusOr<v1::JobInfo> FollowJob(ClusterClient& client, uint64_t job, uint64_t history, WatchOutput output,
                                      CallStopper& stopper);

bool HasEnded(const v1::JobInfo& job);
// An error for a job that failed or was cancelled, else OK.
absl::Status OutcomeOf(const v1::JobInfo& job);
// What to do with a job that is done, or how to come back to one that goes on; lines.
std::string WhatNext(const v1::JobInfo& job);

// "running"; "queued, number 2 in the queue"
std::string StateText(const v1::JobInfo& job);
// A line on what a job runs on in spite of, or that it is over; `before`: the trouble that was told last. Empty where
// there is nothing new.
std::string TroubleText(const v1::JobInfo& job, const std::string& before);
// Tells once of a job that spends more than a quarter of its steps on the wire, for a while.
class WireWarning {
 public:
  // A line, or nothing.
  std::string Note(const v1::JobInfo& job);

 private:
  std::optional<uint64_t> since_;  // step
  bool told_ = false;
};
// "loss 2.3110  validation 2.4020  4210 tokens/s  |g| 0.81  MFU 31 %  wire 8 %  2m 10s left"
std::string MeasurementsText(const v1::JobInfo& job);
// "1.2345", or "-" for what is not known.
std::string LossText(double loss);
// "1h 05m", "2m 10s", "8 s"
std::string TimeText(double seconds);

}  // namespace enigma::cli
