// `enigma keys revoke KEY`: from now on it opens nothing.
#include <cstdio>
#include <memory>

#include "base/status_macros.h"
#include "cli/cluster/cluster_client.h"
#include "cli/cluster/cluster_json.h"
#include "cli/commands/commands.h"

namespace enigma::cli {

namespace {

absl::Status RunRevoke(const ClusterFlags& flags, const std::string& key, bool json) {
  ENIGMA_ASSIGN_OR_RETURN(const auto client, ClusterClient::Open(flags));
  v1::RevokeKeyRequest request;
  request.set_key(key);
  v1::RevokeKeyReply reply;
  ENIGMA_RETURN_IF_ERROR(client->Explain(client->cluster().RevokeKey(QuickCall().get(), request, &reply)));
  if (json) {
    PrintJson(ToJson(reply.key()));
  } else {
    std::printf("key %s (%s) is revoked; what it began goes on, nothing new begins\n", reply.key().name().c_str(),
                reply.key().key_id().c_str());
  }
  return absl::OkStatus();
}

}  // namespace

void AddKeysRevoke(Command& keys) {
  Command command = keys.Add("revoke", "make a key useless, at once and for ever");
  auto flags = std::make_shared<ClusterFlags>();
  auto key = std::make_shared<std::string>();
  auto json = std::make_shared<bool>(false);
  flags->AddTo(command);
  command.Text("KEY", *key, "its id or name, as `enigma keys` lists it", "").Required().Utf8();
  command.Switch("--json", *json, "as JSON");
  command.Does([flags, key, json] { return RunRevoke(*flags, *key, *json); });
}

}  // namespace enigma::cli
