#include "cli/up/bring_up.h"

#include <cstdio>
#include <filesystem>

#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "cli/cluster/announcement.h"
#include "cli/cluster/model_operations.h"
#include "cli/generation/cluster_generation.h"
#include "coordinator/operations/absolute_path.h"
#include "rpc/private_file.h"

namespace enigma::cli {

namespace {

constexpr absl::Duration kCoordinatorStart = absl::Seconds(60);
constexpr absl::Duration kWorkersStart = absl::Seconds(120);

// When a coordinator last announced itself there; the earliest time where none has.
std::filesystem::file_time_type AnnouncedAt(const std::string& data_dir) {
  std::error_code error;
  const auto time = std::filesystem::last_write_time(data_dir + "/endpoint.json", error);
  return error ? std::filesystem::file_time_type::min() : time;
}

ClusterFlags FlagsOf(const LocalClusterOptions& options) {
  ClusterFlags flags;
  flags.data_dir = options.data_dir;
  flags.insecure = options.insecure;
  flags.connect_seconds = 2;  // asked again and again, with an eye on Ctrl-C between
  return flags;
}

// For programs that are no part of the cluster.
void PrintApi(const std::string& data_dir) {
  const auto announcement = ReadAnnouncement(data_dir);
  if (!announcement.ok()) return;  // it has ended just now, which is told elsewhere
  const bool signed_here = announcement->https && announcement->tls_chain_path.empty();
  const std::string trust = signed_here ? absl::StrCat("; clients trust ", data_dir, "/pki/cluster-ca.crt") : "";
  std::printf("  the API for OpenAI's clients: %s%s\n", announcement->ApiUrl().c_str(), trust.c_str());
  if (!announcement->public_grpc.empty()) {
    std::printf("  gRPC for clients with an API key: %s, over TLS\n", announcement->public_grpc.c_str());
  }
}

}  // namespace

void Say(const std::string& text) { std::fprintf(stderr, "enigma up: %s\n", text.c_str()); }

BringUp::BringUp(const LocalClusterOptions& options, std::string token_file, std::function<void()> start_workers,
                 const std::atomic<bool>& stop)
    : options_(options),
      token_file_(std::move(token_file)),
      start_workers_(std::move(start_workers)),
      stop_(stop),
      announced_before_(AnnouncedAt(options.data_dir)) {}

absl::Status BringUp::WaitUntil(const std::string& what, absl::Duration timeout, const std::function<bool()>& done) {
  const absl::Time deadline = absl::Now() + timeout;
  while (!done()) {
    if (stop_.load()) return absl::CancelledError("stopped");
    if (absl::Now() > deadline) {
      return absl::DeadlineExceededError(absl::StrCat(what, " after ", absl::FormatDuration(timeout)));
    }
    absl::SleepFor(absl::Milliseconds(50));
  }
  return absl::OkStatus();
}

absl::Status BringUp::WaitForCoordinator() {
  return WaitUntil("the coordinator does not answer", kCoordinatorStart, [this] {
    if (AnnouncedAt(options_.data_dir) == announced_before_) return false;  // what an earlier run left
    auto client = ClusterClient::Open(FlagsOf(options_));
    if (!client.ok()) return false;
    v1::ListNodesReply reply;
    if (!(*client)->cluster().ListNodes(QuickCall(absl::Seconds(2)).get(), {}, &reply).ok()) return false;
    client_ = *std::move(client);
    return true;
  });
}

absl::Status BringUp::WriteToken() {
  v1::CreateTokenRequest request;
  v1::CreateTokenReply reply;
  ENIGMA_RETURN_IF_ERROR(client_->Explain(client_->cluster().CreateToken(QuickCall().get(), request, &reply)));
  return WritePrivateFile(token_file_, reply.token() + "\n");
}

absl::Status BringUp::WaitForWorkers() {
  uint32_t ready = 0;
  const absl::Status status = WaitUntil("not every worker has joined", kWorkersStart, [this, &ready] {
    v1::ListNodesReply reply;
    if (!client_->cluster().ListNodes(QuickCall(absl::Seconds(2)).get(), {}, &reply).ok()) return false;
    ready = 0;
    for (const auto& node : reply.nodes()) ready += node.state() == "ready" ? 1 : 0;
    return ready >= options_.workers;
  });
  if (absl::IsDeadlineExceeded(status)) {
    return absl::DeadlineExceededError(absl::StrCat(ToString(status.message()), ": ", ready, " of ", options_.workers,
                                                    " are there; the log above says why"));
  }
  return status;
}

absl::StatusOr<std::string> BringUp::LoadOne(size_t index) {
  const std::string& path = options_.models[index];
  const std::string name = options_.NameOf(index);
  // What an earlier run with this data directory wanted would be placed beside what is wanted now, and keep its
  // content.
  v1::UnloadRequest unload;
  unload.set_model(name);
  v1::UnloadReply unloaded;
  const absl::Status gone =
      client_->Explain(client_->cluster().Unload(QuickCall(absl::Minutes(1)).get(), unload, &unloaded));
  if (!gone.ok() && !absl::IsFailedPrecondition(gone) && !absl::IsNotFound(gone)) return gone;
  v1::ImportModelRequest import;
  import.set_path(coordinator::AbsolutePath(path));
  if (const std::string encoder = options_.EncoderOf(index); !encoder.empty()) {
    import.set_encoder_path(coordinator::AbsolutePath(encoder));
  }
  import.set_name(name);
  import.set_replace(true);
  ENIGMA_RETURN_IF_ERROR(ImportModel(*client_, import).status());
  v1::LoadRequest request;
  request.set_model(name);
  request.mutable_options()->set_stages(options_.stages);
  ENIGMA_ASSIGN_OR_RETURN(const v1::LoadProgress loaded, LoadModel(*client_, request));
  Say(absl::StrCat(name, ": ", loaded.replica().stages_size(), " stage(s), ", FormatBytes(loaded.bytes_fetched()),
                   " fetched"));
  return name;
}

absl::Status BringUp::Ask(const std::string& model) {
  GenerationRequest request;
  request.prompt = "Hello";
  request.sampling.temperature = 0;
  request.sampling.max_tokens = 1;
  return GenerateOnCluster(*client_, model, request, [](std::string_view) { return true; }).status();
}

bool BringUp::HasSpecialists() {
  v1::SpecialistsReply reply;
  const grpc::Status asked = client_->cluster().ShowSpecialists(QuickCall().get(), {}, &reply);
  return asked.ok() && reply.in_force();
}

absl::Status BringUp::Run() {
  ENIGMA_RETURN_IF_ERROR(WaitForCoordinator());
  if (!options_.insecure) ENIGMA_RETURN_IF_ERROR(WriteToken());
  start_workers_();
  ENIGMA_RETURN_IF_ERROR(WaitForWorkers());
  Say(absl::StrCat(options_.workers, " worker(s) joined"));
  std::vector<std::string> names;
  for (size_t i = 0; i < options_.models.size(); ++i) {
    ENIGMA_ASSIGN_OR_RETURN(std::string name, LoadOne(i));
    ENIGMA_RETURN_IF_ERROR(Ask(name));
    names.push_back(std::move(name));
  }
  const Json ready = {{"grpc", client_->endpoint()}, {"data_dir", options_.data_dir}, {"models", names}};
  if (!options_.ready_file.empty()) {
    ENIGMA_RETURN_IF_ERROR(WritePrivateFile(options_.ready_file, ready.dump() + "\n"));
  }
  std::printf("ready: coordinator at %s, data in %s\n", client_->endpoint().c_str(), options_.data_dir.c_str());
  PrintApi(options_.data_dir);
  if (HasSpecialists()) names.insert(names.begin(), "auto");
  for (const std::string& name : names) {
    std::printf("  enigma generate --model %s --data-dir %s \"Once upon a time\"\n", name.c_str(),
                options_.data_dir.c_str());
  }
  std::fflush(stdout);
  return absl::OkStatus();
}

}  // namespace enigma::cli
