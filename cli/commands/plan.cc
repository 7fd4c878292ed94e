// `enigma plan MODEL`: where a model would go, how fast it would be, and why.
#include <cstdio>
#include <memory>

#include "base/status_macros.h"
#include "base/text.h"
#include "cli/cluster/cluster_client.h"
#include "cli/cluster/cluster_json.h"
#include "cli/cluster/plan_flags.h"
#include "cli/commands/commands.h"

namespace enigma::cli {

namespace {

struct PlanCommand {
  explicit PlanCommand(Command& command) : options(command) { cluster.AddTo(command); }
  ClusterFlags cluster;
  PlanFlags options;
  std::string model;
  bool json = false;
};

void PrintPlan(const v1::PlanReply& plan) {
  if (plan.feasible()) {
    std::fputs(StageTable(plan.stages()).c_str(), stdout);
    if (plan.has_encoder()) std::fputs(EncoderLine(plan.encoder()).c_str(), stdout);
    std::printf(
        "\npredicted: decode %s tokens/s for one stream, %s with every stage busy; prefill %s tokens/s\n"
        "context %u tokens, %u KV blocks of 32 tokens per stage\nmethod: %s\n",
        FormatDecimal(plan.decode_tokens_per_second(), 2).c_str(),
        FormatDecimal(plan.pipeline_tokens_per_second(), 2).c_str(),
        FormatDecimal(plan.prefill_tokens_per_second(), 1).c_str(), plan.context(), plan.kv_blocks(),
        plan.method().c_str());
  }
  if (plan.verdicts().empty()) return;
  Table table({"NODE", "HOST", "USED", "WHY"});
  for (const auto& verdict : plan.verdicts()) {
    table.AddRow(
        {verdict.node_id().substr(0, 8), verdict.host_name(), verdict.used() ? "yes" : "no", verdict.reason()});
  }
  std::printf("%s%s", plan.feasible() ? "\n" : "", table.Render().c_str());
}

absl::Status RunPlan(const PlanCommand& flags) {
  ENIGMA_ASSIGN_OR_RETURN(const auto client, ClusterClient::Open(flags.cluster));
  v1::PlanRequest request;
  request.set_model(flags.model);
  *request.mutable_options() = flags.options.Resolve();
  v1::PlanReply plan;
  // Links between candidates are measured where that has not happened yet.
  const auto context = QuickCall(absl::Minutes(5));
  ENIGMA_RETURN_IF_ERROR(client->Explain(client->cluster().Plan(context.get(), request, &plan)));
  if (flags.json) {
    Json json = {{"model", flags.model}};
    json.update(ToJson(plan));
    PrintJson(json);
  } else {
    PrintPlan(plan);
  }
  if (!plan.feasible()) return absl::ResourceExhaustedError(ToAbsl(plan.infeasible_reason()));
  return absl::OkStatus();
}

}  // namespace

void AddPlan(Command& root) {
  Command command = root.Add("plan", "where a model would go, how fast it would be, and why");
  auto flags = std::make_shared<PlanCommand>(command);
  command.Text("MODEL", flags->model, "the model's name, as `enigma models` lists it", "").Required().Utf8();
  command.Switch("--json", flags->json, "as JSON");
  command.Examples({"enigma plan demo", "enigma plan demo --stages 3 --sequences 16"});
  command.Does([flags] { return RunPlan(*flags); });
}

}  // namespace enigma::cli
