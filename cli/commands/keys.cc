// `enigma keys`: which keys open the API; its sub-commands are in files of their own.
#include <cstdio>
#include <memory>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_join.h>
#include <absl/time/time.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "cli/cluster/cluster_client.h"
#include "cli/cluster/cluster_json.h"
#include "cli/commands/commands.h"
#include "coordinator/state/priority.h"

namespace enigma::cli {

namespace {

std::string DayOf(int64_t unix_ms, const char* without) {
  if (unix_ms == 0) return without;
  return ToString(absl::FormatTime("%Y-%m-%d %H:%M", absl::FromUnixMillis(unix_ms), absl::LocalTimeZone()));
}

std::string LimitText(uint64_t limit) { return limit == 0 ? "-" : absl::StrCat(limit); }

absl::Status RunKeys(const ClusterFlags& flags, bool json) {
  ENIGMA_ASSIGN_OR_RETURN(const auto client, ClusterClient::Open(flags));
  v1::ListKeysReply reply;
  ENIGMA_RETURN_IF_ERROR(client->Explain(client->cluster().ListKeys(QuickCall().get(), {}, &reply)));
  if (json) {
    Json keys = Json::array();
    for (const auto& key : reply.keys()) keys.push_back(ToJson(key));
    PrintJson({{"keys", std::move(keys)}});
    return absl::OkStatus();
  }
  Table table({"KEY", "NAME", "STATE", "MODELS", "RPM", "TPM", "AT ONCE", "PRIORITY", "RUNNING", "CREATED", "EXPIRES",
               "LAST USED"},
              {4, 5, 6, 8});
  for (const auto& key : reply.keys()) {
    table.AddRow(
        {key.key_id(), key.name(), key.state(), key.models().empty() ? "all" : absl::StrJoin(key.models(), ","),
         LimitText(key.limits().requests_per_minute()), LimitText(key.limits().tokens_per_minute()),
         LimitText(key.limits().concurrency_max()), std::string(coordinator::PriorityName(key.limits().priority_max())),
         absl::StrCat(key.running()), DayOf(key.created_unix_ms(), "-"), DayOf(key.expires_unix_ms(), "never"),
         DayOf(key.last_used_unix_ms(), "never")});
  }
  std::fputs(table.Render().c_str(), stdout);
  if (reply.keys().empty()) {
    std::fputs(
        "There is no key: `enigma keys create --name NAME` makes one. On the coordinator's machine none is needed.\n",
        stderr);
  }
  return absl::OkStatus();
}

}  // namespace

void AddKeys(Command& root) {
  Command keys = root.Add("keys", "keys with which programs use the API; create, revoke");
  Command list = keys.Add("list", "the same as `enigma keys` alone");
  for (Command* command : {&keys, &list}) {
    auto flags = std::make_shared<ClusterFlags>();
    auto json = std::make_shared<bool>(false);
    flags->AddTo(*command);
    command->Switch("--json", *json, "as JSON");
    command->Does([flags, json] { return RunKeys(*flags, *json); });
  }
  AddKeysCreate(keys);
  AddKeysRevoke(keys);
}

}  // namespace enigma::cli
