#pragma once

#include <string>
#include <vector>

#include "coordinator/state/link_table.h"
#include "engine/spec/training_config.h"

namespace enigma::coordinator {

// What a job may be expected to take. Pure functions.

// The nodes as they are for training.
struct TrainingPower {
  std::vector<double> flops_per_second;  // of each rank: training's products, with factors of the job's precision
  // The slowest of the links between them; without a speed: there is none, or none was measured.
  Link slowest_link;
};

struct JobEstimate {
  std::string shape;  // for people
  uint64_t parameters = 0;
  uint64_t memory_bytes = 0;  // of one rank
  double flops_per_token = 0;
  double tokens_per_second = 0;  // of all ranks; 0: nobody is there
  double step_seconds = 0;
  double wire_share = 0;  // of a step
  double seconds = 0;     // of the whole job
  std::vector<std::string> warnings;
};

// Above this share of the time for the wire, more ranks hardly help, and a warning says so.
inline constexpr double kWireShareMax = 0.25;

JobEstimate EstimateJob(const engine::TrainingConfig& config, const TrainingPower& power);

// "4 layers, 128 wide, 4 heads (4 of keys and values), feed-forward 352, 4096 tokens, context 256"
std::string ShapeText(const engine::ModelSpec& spec);
// "image encoder: 64 x 64 pixels, 3 convolutions, 2 layers, 128 wide, 4 heads, feed-forward 256, 16 rows a picture"
std::string ShapeText(const engine::VisionSpec& spec);

}  // namespace enigma::coordinator
