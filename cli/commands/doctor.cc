// `enigma doctor`: what could keep this machine or its cluster from working, and what to do about it.
#include <algorithm>
#include <cstdio>
#include <memory>

#include <absl/strings/str_cat.h>

#include "cli/cluster/cluster_flags.h"
#include "cli/commands/commands.h"
#include "cli/doctor/api_checks.h"
#include "cli/doctor/cluster_checks.h"
#include "cli/doctor/machine_checks.h"
#include "cli/doctor/port_checks.h"
#include "cli/output/format.h"
#include "cli/settings/daemon_flags.h"

namespace enigma::cli {

namespace {

const char* VerdictName(Verdict verdict) {
  switch (verdict) {
    case Verdict::kFine:
      return "ok";
    case Verdict::kNote:
      return "note";
    case Verdict::kProblem:
      return "problem";
  }
  return "";
}

absl::Status RunDoctor(const ClusterFlags& flags, bool json) {
  Findings findings;
  CheckCpu(findings);
  CheckMemory(findings);
  CheckGpu(findings);
  const std::string data_dir = flags.data_dir.empty() ? DefaultDataDir() : flags.data_dir;
  CheckDisk(data_dir, findings);
  CheckLimits(findings);
  CheckInterfaces(findings);
  std::vector<uint16_t> listening;
  if (const auto grpc = CheckCluster(flags, findings)) {
    // Nothing here says where the API of another machine's coordinator is.
    if (flags.coordinator.empty()) listening = CheckApi(data_dir, findings);
    listening.push_back(*grpc);
  }
  CheckPorts(listening, findings);
  const auto problems = std::count_if(findings.begin(), findings.end(),
                                      [](const Finding& finding) { return finding.verdict == Verdict::kProblem; });
  if (json) {
    Json rows = Json::array();
    for (const Finding& finding : findings) {
      rows.push_back({{"topic", finding.topic},
                      {"verdict", VerdictName(finding.verdict)},
                      {"detail", finding.detail},
                      {"advice", finding.advice}});
    }
    PrintJson({{"problems", problems}, {"findings", std::move(rows)}});
  } else {
    for (const Finding& finding : findings) {
      std::printf("%-8s %-11s %s\n", VerdictName(finding.verdict), finding.topic.c_str(), finding.detail.c_str());
      if (!finding.advice.empty()) std::printf("%-20s -> %s\n", "", finding.advice.c_str());
    }
  }
  if (problems > 0) return absl::FailedPreconditionError(absl::StrCat(problems, " problem(s) found"));
  return absl::OkStatus();
}

}  // namespace

void AddDoctor(Command& root) {
  Command command =
      root.Add("doctor", "ports, interfaces, clocks, GPU, disk, TLS, reachability, and what to do about each");
  auto flags = std::make_shared<ClusterFlags>();
  auto json = std::make_shared<bool>(false);
  flags->AddTo(command);
  command.Switch("--json", *json, "as JSON");
  command.Examples({"enigma doctor", "enigma doctor --coordinator host1:50051"});
  command.Does([flags, json] { return RunDoctor(*flags, *json); });
}

}  // namespace enigma::cli
