#include "coordinator/jobs/job_planner.h"

#include <algorithm>
#include <map>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>

namespace enigma::coordinator {
namespace {

std::string Mebibytes(uint64_t bytes) { return absl::StrCat((bytes + (1 << 20) - 1) >> 20, " MiB"); }

// Why the node may have no rank, whatever the others do; empty: it may.
std::string ReasonAgainst(const Node& node, const RankNeeds& needs) {
  if (node.leaving) return absl::StrCat("node ", node.Label(), " is leaving");
  if (needs.taken.contains(node.id)) return absl::StrCat("node ", node.Label(), " works on another job");
  if (!node.measured()) return absl::StrCat("node ", node.Label(), " still measures itself");
  if (needs.trusted_network && !node.hello.capability().trusted_network()) {
    return absl::StrCat("node ", node.Label(), " was not started with --trusted-network, which Gloo needs");
  }
  const uint64_t free = node.hello.capability().memory_free_bytes();
  if (!needs.members.contains(node.id) && free < needs.memory_bytes) {
    return absl::StrCat("node ", node.Label(), " has ", Mebibytes(free), " of memory free, and a rank needs ",
                        Mebibytes(needs.memory_bytes));
  }
  return "";
}

std::string ContractOf(const std::vector<const Node*>& nodes, const RankNeeds& needs) {
  std::map<std::string, double> power;
  for (const Node* node : nodes) {
    const enigma::v1::Capability& capability = node->hello.capability();
    if (needs.members.contains(node->id)) return capability.contract();
    power[capability.contract()] += capability.flops_per_second();
  }
  const auto most =
      std::max_element(power.begin(), power.end(), [](const auto& a, const auto& b) { return a.second < b.second; });
  return most == power.end() ? "" : most->first;
}

}  // namespace

std::string RankChoice::Why() const { return absl::StrJoin(reasons, "; "); }

RankChoice ChooseRanks(const std::vector<Node>& nodes, const RankNeeds& needs) {
  RankChoice choice;
  std::vector<const Node*> able;
  for (const Node& node : nodes) {
    if (node.state != NodeState::kReady) continue;
    std::string reason = ReasonAgainst(node, needs);
    if (reason.empty()) {
      able.push_back(&node);
    } else {
      choice.reasons.push_back(std::move(reason));
    }
  }
  const std::string contract = ContractOf(able, needs);
  std::erase_if(able, [&](const Node* node) {
    const std::string& its = node->hello.capability().contract();
    if (its == contract) return false;
    choice.reasons.push_back(
        absl::StrCat("node ", node->Label(), " computes by the contract ", its, ", and the others by ", contract));
    return true;
  });
  std::stable_sort(able.begin(), able.end(), [&](const Node* a, const Node* b) {
    const bool a_is = needs.members.contains(a->id);
    const bool b_is = needs.members.contains(b->id);
    if (a_is != b_is) return a_is;
    const bool a_out = needs.left_out.contains(a->id);
    const bool b_out = needs.left_out.contains(b->id);
    if (a_out != b_out) return b_out;
    return a->hello.capability().flops_per_second() > b->hello.capability().flops_per_second();
  });
  if (needs.ranks_max > 0) {
    const uint32_t places = needs.ranks_max - std::min(needs.ranks_max, needs.awaited);
    if (able.size() > places) able.resize(places);
  }
  for (const Node* node : able) choice.nodes.push_back(node->id);
  return choice;
}

absl::Status CheckNetworksTrusted(const std::vector<Node>& nodes, uint32_t ranks_max) {
  size_t trusting = 0;
  std::vector<std::string> others;
  for (const Node& node : nodes) {
    if (node.state != NodeState::kReady || node.leaving) continue;
    if (node.hello.capability().trusted_network()) {
      ++trusting;
    } else {
      others.push_back(node.Label());
    }
  }
  if (others.empty() || (ranks_max > 0 && trusting >= ranks_max)) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("collective: gloo encrypts and authenticates nothing, so every worker must be started with "
                   "--trusted-network; these were not: ",
                   absl::StrJoin(others, ", ")));
}

std::vector<uint64_t> QueueOf(const std::vector<Job>& jobs) {
  std::vector<const Job*> queued;
  for (const Job& job : jobs) {
    if (job.state == JobState::kQueued) queued.push_back(&job);
  }
  std::stable_sort(queued.begin(), queued.end(), [](const Job* a, const Job* b) {
    return a->priority != b->priority ? a->priority > b->priority : a->submitted_unix_ms < b->submitted_unix_ms;
  });
  std::vector<uint64_t> ids;
  for (const Job* job : queued) ids.push_back(job->id);
  return ids;
}

std::vector<uint64_t> NextJobs(const std::vector<Job>& jobs, const std::set<uint64_t>& running, const JobRoom& room) {
  std::vector<uint64_t> next;
  size_t under_way = 0;
  size_t members = 0;
  bool all_have_theirs = true;
  for (const Job& job : jobs) {
    const bool is_running = running.contains(job.id);
    if (!is_running && !IsUnderWay(job.state)) continue;
    if (!is_running) next.push_back(job.id);
    ++under_way;
    members += job.members.size();
    all_have_theirs = all_have_theirs && job.workers_max > 0 && job.members.size() >= job.workers_max;
  }
  const bool beside = all_have_theirs && under_way < room.under_way_max && members < room.nodes;
  const std::vector<uint64_t> queue = QueueOf(jobs);
  for (const uint64_t first : queue) {
    if (running.contains(first)) continue;  // it is being taken up
    if (under_way == 0 || beside) next.push_back(first);
    break;
  }
  return next;
}

std::vector<double> SpeedsOf(const std::vector<double>& measured, const std::vector<double>& flops_per_second) {
  double slots = 0;
  double operations = 0;
  for (size_t i = 0; i < measured.size(); ++i) {
    if (measured[i] <= 0 || flops_per_second[i] <= 0) continue;
    slots += measured[i];
    operations += flops_per_second[i];
  }
  const double slots_per_operation = operations > 0 ? slots / operations : 1;
  std::vector<double> speeds;
  for (size_t i = 0; i < measured.size(); ++i) {
    const double guess = flops_per_second[i] > 0 ? flops_per_second[i] * slots_per_operation : 1;
    speeds.push_back(measured[i] > 0 ? measured[i] : guess);
  }
  return speeds;
}

}  // namespace enigma::coordinator
