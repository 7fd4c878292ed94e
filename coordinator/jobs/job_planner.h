#pragma once

#include <cstdint>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>

#include "coordinator/jobs/job.h"
#include "coordinator/state/node.h"

namespace enigma::coordinator {

// Which nodes may take part in a job, and which job goes next: pure functions of what is known.

struct RankNeeds {
  uint64_t memory_bytes = 0;            // of one rank
  uint32_t ranks_max = 0;               // 0: all
  bool trusted_network = false;         // what they sum goes over theirs in plain text
  std::set<std::string> members = {};   // nodes with a rank of the job already: its memory is theirs
  std::set<std::string> taken = {};     // nodes that other jobs have
  std::set<std::string> left_out = {};  // nodes that gave trouble: taken only where nobody else is there
  uint32_t awaited = 0;                 // members that are on their way back: their places are kept
};

struct RankChoice {
  std::vector<std::string> nodes;         // that are to have a rank, the fastest first, members before others
  std::vector<std::string> reasons;       // a sentence for each live node that may not have one
  [[nodiscard]] std::string Why() const;  // the reasons in one line
};

// Nodes that attend, are measured and stay, have the memory, and compute alike: of several numeric contracts, the one
// that the members have, or else that of the most computing power.
RankChoice ChooseRanks(const std::vector<Node>& nodes, const RankNeeds& needs);

// FAILED_PRECONDITION that names the nodes whose operators do not say that their network is trusted, where not as many
// others attend as the job would take (`ranks_max` as in RankNeeds).
absl::Status CheckNetworksTrusted(const std::vector<Node>& nodes, uint32_t ranks_max);

// Ids of the jobs that wait for their turn, the highest priority first, of equals the oldest.
std::vector<uint64_t> QueueOf(const std::vector<Job>& jobs);

struct JobRoom {
  size_t under_way_max = 1;
  size_t nodes = 0;  // that attend and stay
};

// Ids of the jobs that are to be taken up now, in order: those that were under way when the coordinator stopped, then
// the first of the queue where there is room for it. Beside others there is room for fewer than `under_way_max`, and
// only where each of them is in an epoch with as many workers as it may have at most, and leaves a node to be used.
// `running`: those that have a runner.
std::vector<uint64_t> NextJobs(const std::vector<Job>& jobs, const std::set<uint64_t>& running, const JobRoom& room);

// Speeds in slots per second, or in proportion to that: measured where they are (above 0), and where not, such that
// operations per second count as they do on the measured ones. Lists are by rank.
std::vector<double> SpeedsOf(const std::vector<double>& measured, const std::vector<double>& flops_per_second);

}  // namespace enigma::coordinator
