// `enigma options`: every setting of the daemons as data, for documents and tests that must not drift from the binary.
#include <cstdio>
#include <memory>

#include "cli/commands/commands.h"
#include "cli/output/format.h"
#include "cli/settings/option_table.h"

namespace enigma::cli {

namespace {

Json OptionsJson() {
  Json rows = Json::array();
  for (const DaemonOption& option : DaemonOptions()) {
    Json row = {{"name", option.name},
                {"flag", std::string("--") + option.name},
                {"environment", EnvironmentName(option.name)},
                {"kind", KindName(option.kind)},
                {"secret", option.secret},
                {"help", option.help}};
    if ((option.daemons & kCoordinatorDaemon) != 0) row["coordinator"] = {{"default", option.coordinator_default}};
    if ((option.daemons & kWorkerDaemon) != 0) row["worker"] = {{"default", option.worker_default}};
    rows.push_back(std::move(row));
  }
  return {{"version", ENIGMA_VERSION}, {"options", std::move(rows)}};
}

absl::Status RunOptions(bool json) {
  if (json) {
    PrintJson(OptionsJson());
    return absl::OkStatus();
  }
  Table table({"FLAG", "VARIABLE", "COORDINATOR", "WORKER"});
  for (const DaemonOption& option : DaemonOptions()) {
    const auto cell = [&option](unsigned daemon) {
      return (option.daemons & daemon) == 0 ? std::string("-") : "\"" + std::string(DefaultOf(option, daemon)) + "\"";
    };
    table.AddRow(
        {std::string("--") + option.name, EnvironmentName(option.name), cell(kCoordinatorDaemon), cell(kWorkerDaemon)});
  }
  std::fputs(table.Render().c_str(), stdout);
  return absl::OkStatus();
}

}  // namespace

void AddOptions(Command& root) {
  Command command = root.Add("options", "every setting of coordinator and worker: flag, variable, default");
  auto json = std::make_shared<bool>(false);
  command.Switch("--json", *json, "as JSON");
  command.Does([json] { return RunOptions(*json); });
}

}  // namespace enigma::cli
