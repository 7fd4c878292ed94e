// `enigma keys create`: a key for a program that uses the API; its secret is shown this once.
#include <algorithm>
#include <cstdio>
#include <memory>

#include <absl/strings/str_join.h>
#include <absl/strings/str_split.h>
#include <absl/time/time.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "cli/cluster/cluster_client.h"
#include "cli/cluster/cluster_json.h"
#include "cli/commands/commands.h"
#include "cli/input/duration_text.h"
#include "coordinator/state/priority.h"

namespace enigma::cli {

namespace {

constexpr size_t kNameBytesMax = 64;  // the coordinator's limit (coordinator/state/api_key_registry.h)

struct KeyFlags {
  ClusterFlags cluster;
  std::string name;
  std::vector<std::string> models;
  uint32_t requests_per_minute = 0;
  uint64_t tokens_per_minute = 0;
  uint32_t concurrency_max = 0;
  std::string priority;
  std::string expires;
  bool json = false;
};

std::string NameComplaint(const std::string& text) {
  if (text.size() > kNameBytesMax) {
    return "it has " + std::to_string(text.size()) + " bytes; at most " + std::to_string(kNameBytesMax) +
           " are allowed";
  }
  const bool has_control =
      std::any_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
  return has_control ? "it has a control character" : "";
}

std::string ModelsComplaint(const std::string& text) {
  for (const std::string& model : std::vector<std::string>(absl::StrSplit(text, ','))) {
    if (model.empty()) return "\"" + text + "\" has an empty name";
  }
  return "";
}

absl::Status RunCreate(const KeyFlags& flags) {
  ENIGMA_ASSIGN_OR_RETURN(const auto client, ClusterClient::Open(flags.cluster));
  v1::CreateKeyRequest request;
  request.set_name(flags.name);
  for (const std::string& list : flags.models) {
    for (const std::string& model : std::vector<std::string>(absl::StrSplit(list, ','))) request.add_models(model);
  }
  request.mutable_limits()->set_requests_per_minute(flags.requests_per_minute);
  request.mutable_limits()->set_tokens_per_minute(flags.tokens_per_minute);
  request.mutable_limits()->set_concurrency_max(flags.concurrency_max);
  if (const auto priority = coordinator::ParsePriority(flags.priority)) {
    request.mutable_limits()->set_priority_max(*priority);
  }
  if (const auto valid = ReadDuration(flags.expires)) request.set_valid_seconds(absl::ToInt64Seconds(*valid));
  v1::CreateKeyReply reply;
  ENIGMA_RETURN_IF_ERROR(client->Explain(client->cluster().CreateKey(QuickCall().get(), request, &reply)));
  if (flags.json) {
    Json key = ToJson(reply.key());
    key["secret"] = reply.secret();
    PrintJson(key);
  } else {
    std::printf("%s\n", reply.secret().c_str());
    std::fprintf(stderr,
                 "Key %s (%s). It is shown this once and kept nowhere; programs send it as\n"
                 "  Authorization: Bearer %.8s...\n",
                 reply.key().name().c_str(), reply.key().key_id().c_str(), reply.secret().c_str());
  }
  if (!reply.unknown_models().empty()) {
    std::fprintf(stderr, "No such model is here yet: %s\n", absl::StrJoin(reply.unknown_models(), ", ").c_str());
  }
  return absl::OkStatus();
}

}  // namespace

void AddKeysCreate(Command& keys) {
  Command command = keys.Add("create", "print a new key, which is not shown again");
  auto flags = std::make_shared<KeyFlags>();
  flags->cluster.AddTo(command);
  command.Text("--name", flags->name, "what to call it: the program or person it is for", "NAME")
      .Required()
      .Utf8()
      .Meets(&NameComplaint);
  command.Texts("--models", flags->models, "the only models it may use, with commas between (default: all)", "A,B")
      .Utf8()
      .Meets(&ModelsComplaint);
  command.Number("--rpm", flags->requests_per_minute, "requests a minute (default: no limit)").AtLeast(1);
  command.Number("--tpm", flags->tokens_per_minute, "tokens a minute, of prompts and answers (default: no limit)")
      .AtLeast(1);
  command.Number("--max-concurrency", flags->concurrency_max, "requests at a time (default: no limit)").AtLeast(1);
  command
      .Text("--priority", flags->priority,
            "the highest class that its requests may ask for: low, normal or high (default: high)", "CLASS")
      .Among({"low", "normal", "high"});
  command.Text("--expires", flags->expires, "good for so long: 12h, 30d, 8w (default: for ever)", "TIME")
      .Meets(&DurationComplaint);
  command.Switch("--json", flags->json, "as JSON");
  command.Examples({"enigma keys create --name ci --models demo --rpm 60 --expires 30d",
                    "export OPENAI_API_KEY=\"$(enigma keys create --name laptop)\""});
  command.Does([flags] { return RunCreate(*flags); });
}

}  // namespace enigma::cli
