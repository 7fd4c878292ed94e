// `enigma token create`: lets another machine join.
#include <cstdio>
#include <memory>

#include <absl/time/time.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "cli/cluster/cluster_client.h"
#include "cli/commands/commands.h"
#include "cli/output/format.h"

namespace enigma::cli {

namespace {

struct TokenFlags {
  ClusterFlags cluster;
  double valid_hours = 24;
  bool json = false;
};

absl::Status RunTokenCreate(const TokenFlags& flags) {
  ENIGMA_ASSIGN_OR_RETURN(const auto client, ClusterClient::Open(flags.cluster));
  v1::CreateTokenRequest request;
  request.set_valid_seconds(static_cast<int64_t>(flags.valid_hours * 3600));
  v1::CreateTokenReply reply;
  ENIGMA_RETURN_IF_ERROR(client->Explain(client->cluster().CreateToken(QuickCall().get(), request, &reply)));
  if (flags.json) {
    PrintJson({{"token", reply.token()}, {"expires_unix_ms", reply.expires_unix_ms()}});
    return absl::OkStatus();
  }
  std::printf("%s\n", reply.token().c_str());
  std::fprintf(stderr, "Valid until %s. On the machine that is to join:\n  enigma worker --token %s\n",
               ToString(absl::FormatTime(absl::FromUnixMillis(reply.expires_unix_ms()), absl::LocalTimeZone())).c_str(),
               reply.token().c_str());
  return absl::OkStatus();
}

}  // namespace

void AddToken(Command& root) {
  Command token = root.Add("token", "admission of nodes");
  token.NeedsSubcommand();
  Command command = token.Add("create", "print a token with which workers may join");
  auto flags = std::make_shared<TokenFlags>();
  flags->cluster.AddTo(command);
  command.Number("--valid-hours", flags->valid_hours, "for how long, 0.01 to 8784 (default 24)", "HOURS")
      .Between(0.01, 24.0 * 366);
  command.Switch("--json", flags->json, "as JSON");
  command.Examples({"enigma token create", "enigma worker --token \"$(enigma token create --valid-hours 1)\""});
  command.Does([flags] { return RunTokenCreate(*flags); });
}

}  // namespace enigma::cli
