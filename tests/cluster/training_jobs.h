#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "tests/cluster/cluster.h"

namespace enigma::testing {

// Runs `enigma train ...` and gives the job's number; 0 and a failure where there is none.
uint64_t TrainJob(const Cluster& cluster, std::vector<std::string> arguments);

// Weights, moments and exponents of the last checkpoint: the same bytes of any job that trained the same. What stands
// before them in the file names the job's configuration, and with it the model.
std::string FinalState(const Cluster& cluster, uint64_t job);
// Likewise of the checkpoint of that step.
std::string StateOf(const Cluster& cluster, uint64_t job, uint64_t step);

}  // namespace enigma::testing
