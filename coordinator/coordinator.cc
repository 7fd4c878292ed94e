#include "coordinator/coordinator.h"

#include <atomic>
#include <filesystem>
#include <optional>
#include <utility>

#include <absl/strings/str_cat.h>
#include <absl/synchronization/mutex.h>
#include <absl/synchronization/notification.h>

#include "base/status_macros.h"
#include "coordinator/addresses.h"
#include "coordinator/background/failure_watcher.h"
#include "coordinator/background/placement_keeper.h"
#include "coordinator/background/progress_watcher.h"
#include "coordinator/background/sighting_watcher.h"
#include "coordinator/background/silence_checker.h"
#include "coordinator/background/specialist_keeper.h"
#include "coordinator/background/specialists_watcher.h"
#include "coordinator/credentials.h"
#include "coordinator/endpoint_file.h"
#include "coordinator/gateway/cluster_service.h"
#include "coordinator/gateway/content_service.h"
#include "coordinator/gateway/http_gateway.h"
#include "coordinator/gateway/inference_service.h"
#include "coordinator/gateway/job_files_service.h"
#include "coordinator/gateway/membership_service.h"
#include "coordinator/gateway/request_router.h"
#include "coordinator/gateway/specialists_office.h"
#include "coordinator/gateway/training_service.h"
#include "coordinator/jobs/job_keeper.h"
#include "coordinator/operations/absolute_path.h"
#include "coordinator/operations/create_token.h"
#include "coordinator/operations/shipped_models.h"
#include "coordinator/store/rocksdb_store.h"
#include "coordinator/store/schema.h"
#include "discovery/udp_beacon_source.h"
#include "rpc/endpoint.h"
#include "rpc/private_file.h"
#include "rpc/server.h"
#include "telemetry/log.h"

namespace enigma::coordinator {
namespace {

constexpr absl::Duration kTokenFileValid = absl::Hours(24 * 30);
constexpr absl::Duration kLookEvery = absl::Milliseconds(20);

// Members in the order of dependence: each borrows from those above.
class CoordinatorImpl final : public Coordinator {
 public:
  CoordinatorImpl(const Options& options, std::unique_ptr<Store> store)
      : options_(options),
        store_(std::move(store)),
        nodes_(*store_, *options_.clock),
        models_(*store_),
        replicas_(*store_),
        wanted_(*store_),
        jobs_(*store_, *options_.clock),
        job_folders_(AbsolutePath(options_.data_dir) + "/jobs"),
        tokens_(*store_),
        keys_(*store_, *options_.clock),
        key_limits_(*options_.clock),
        credentials_(options_) {}
  ~CoordinatorImpl() override { CoordinatorImpl::Stop(); }

  absl::Status Start();

  void Run() override;
  void Drain(absl::Duration timeout) override;
  void Stop() override;
  int grpc_port() const override { return server_->port(); }
  int public_grpc_port() const override { return server_->public_port(); }
  int http_port() const override { return http_->port(); }
  int udp_port() const override { return beacons_ == nullptr ? 0 : beacons_->port(); }
  const std::string& cluster_id() const override { return plane_->cluster_id; }

 private:
  void SetServing(const std::string& service, bool serving);
  absl::Status Restore();
  void MakePlane();
  void MakeParts();
  void MakeRouting();
  absl::Status TakeShippedModels();
  absl::Status Listen();
  absl::Status StartBeacons();
  void WarnWhenNobodyMayAsk() const;
  absl::Status WriteFiles();
  void DescribeDiscovery(enigma::v1::DiagnoseReply& reply) const;

  const Options options_;
  Metrics metrics_;
  const std::unique_ptr<Store> store_;
  NodeRegistry nodes_;
  ModelRegistry models_;
  ModelFiles files_;
  ReplicaRegistry replicas_;
  WantedRegistry wanted_;
  JobRegistry jobs_;
  JobFolders job_folders_;
  TokenRegistry tokens_;
  ApiKeyRegistry keys_;
  KeyLimits key_limits_;
  LinkTable links_;
  CheckedSchemas schemas_;
  Intake intake_;
  Credentials credentials_;
  std::unique_ptr<WorkerChannels> channels_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::unique_ptr<ControlPlane> plane_;
  std::unique_ptr<PlacementKeeper> keeper_;
  std::unique_ptr<FailureWatcher> failures_;
  SpecialistRegistry specialists_;
  std::unique_ptr<SpecialistKeeper> specialist_keeper_;
  std::unique_ptr<SpecialistsWatcher> specialists_watcher_;
  std::unique_ptr<RequestRouter> router_;
  std::unique_ptr<Access> access_;
  std::unique_ptr<AuditLog> audit_;
  std::unique_ptr<SpecialistsOffice> specialists_office_;
  std::unique_ptr<MembershipService> membership_;
  std::unique_ptr<ClusterService> cluster_;
  std::unique_ptr<ContentService> content_;
  std::unique_ptr<InferenceService> inference_;
  std::unique_ptr<JobKeeper> job_keeper_;
  std::unique_ptr<TrainingService> training_;
  std::unique_ptr<JobFilesService> job_files_;
  std::unique_ptr<RpcServer> server_;
  std::unique_ptr<SilenceChecker> silence_;
  std::unique_ptr<ProgressWatcher> progress_;
  std::unique_ptr<UdpBeaconSource> beacons_;
  std::unique_ptr<SightingWatcher> sightings_;
  std::unique_ptr<HttpGateway> http_;
  std::atomic<bool> wrote_files_ = false;
  std::atomic<bool> told_to_end_ = false;
  absl::Duration drain_until_;  // on the monotonic clock; written before ending_ is notified
  absl::Notification ending_;   // to drain, or to stop
  absl::Mutex stop_mutex_;
  absl::Notification stopped_;
};

absl::Status CoordinatorImpl::Start() {
  ENIGMA_RETURN_IF_ERROR(Restore());
  ENIGMA_RETURN_IF_ERROR(credentials_.Open());
  ENIGMA_ASSIGN_OR_RETURN(audit_, AuditLog::Open(options_.data_dir + "/audit.log", *options_.clock));
  MakePlane();
  ENIGMA_RETURN_IF_ERROR(TakeShippedModels());  // before there are threads that would find them missing
  MakeParts();
  if (specialists_watcher_ != nullptr) ENIGMA_RETURN_IF_ERROR(specialists_watcher_->ReadFirst());
  ENIGMA_RETURN_IF_ERROR(Listen());
  if (specialists_watcher_ != nullptr) specialists_watcher_->Start();
  job_keeper_->Start();
  ENIGMA_RETURN_IF_ERROR(StartBeacons());
  HttpGateway::Options http;
  http.server.host = options_.http_host;
  http.server.port = options_.http_port;
  http.server.certificate = credentials_.certificate();
  if (credentials_.renewable()) {
    http.server.renewed_certificate = [this] { return credentials_.Renewed(); };
  }
  absl::StatusOr<CorsPolicy> cors = CorsPolicy::Create(options_.cors_origins);
  if (!cors.ok()) return absl::InvalidArgumentError(absl::StrCat("cors_origins: ", cors.status().message()));
  http.cors = *std::move(cors);
  http.request_time_max = options_.request_time_max;
  http.ping = options_.http_ping;
  ENIGMA_ASSIGN_OR_RETURN(http_,
                          HttpGateway::Start(std::move(http), *plane_, *access_, *router_, *specialists_office_));
  WarnWhenNobodyMayAsk();
  ENIGMA_RETURN_IF_ERROR(WriteFiles());
  LogInfo("coordinator {} of cluster {} listens on {}", credentials_.node_id(), plane_->cluster_id,
          Endpoint{options_.listen_host, server_->port()}.ToText());
  LogInfo("the API is at {}://{}/v1", credentials_.certificate() ? "https" : "http",
          Endpoint{options_.http_host, http_->port()}.ToText());
  if (server_->public_port() != 0) {
    LogInfo("gRPC for clients with an API key is at {}, over TLS",
            Endpoint{options_.public_grpc_host, server_->public_port()}.ToText());
  }
  return absl::OkStatus();
}

absl::Status CoordinatorImpl::Restore() {
  ENIGMA_RETURN_IF_ERROR(MigrateStore(*store_, Migrations()));
  ENIGMA_RETURN_IF_ERROR(nodes_.Restore());
  ENIGMA_RETURN_IF_ERROR(models_.Restore());
  ENIGMA_RETURN_IF_ERROR(keys_.Restore());
  ENIGMA_RETURN_IF_ERROR(jobs_.Restore());
  models_.SetGuard([this](std::string_view name, ModelChange change) { return jobs_.CheckModelChange(name, change); });
  return wanted_.Restore();
}

void CoordinatorImpl::MakePlane() {
  const NodeIdentity* identity = credentials_.identity() ? &*credentials_.identity() : nullptr;
  const CertificateAuthority* authority = credentials_.authority();
  channels_ = std::make_unique<WorkerChannels>(identity);
  dispatcher_ = std::make_unique<Dispatcher>(
      Dispatcher::Options{
          .running_max = options_.running_max, .waiting_max = options_.waiting_max, .clock = options_.clock},
      metrics_);
  const std::string cluster_id = authority != nullptr ? authority->cluster_id() : std::string(kInsecureClusterId);
  plane_.reset(new ControlPlane{*options_.clock,
                                nodes_,
                                models_,
                                files_,
                                replicas_,
                                wanted_,
                                tokens_,
                                keys_,
                                key_limits_,
                                links_,
                                schemas_,
                                *channels_,
                                *dispatcher_,
                                intake_,
                                metrics_,
                                authority,
                                cluster_id,
                                options_.version,
                                {}});
}

void CoordinatorImpl::MakeParts() {
  keeper_ = std::make_unique<PlacementKeeper>(
      *plane_,
      PlacementKeeper::Options{.return_grace = options_.return_grace, .successor_wait = options_.successor_wait});
  failures_ = std::make_unique<FailureWatcher>(*plane_, [this] { keeper_->Wake(); });
  dispatcher_->SetBrokenListener([this](uint64_t replica, std::string_view node_id, const absl::Status& why) {
    const std::optional<Node> node = nodes_.Find(node_id);
    failures_->Suspect(replica, {.node = "",
                                 .lost = std::string(node_id),
                                 .reason = absl::StrCat("node ", node ? node->Label() : std::string(node_id),
                                                        " broke its stream: ", why.message())});
  });
  dispatcher_->SetRefusedListener(
      [this](uint64_t replica, uint64_t ticket, const std::string& why) { failures_->Refused(replica, ticket, why); });

  access_ = std::make_unique<Access>(
      plane_->authority != nullptr ? Authoriser::ForCluster(plane_->cluster_id) : Authoriser::Insecure(),
      options_.no_auth, keys_, metrics_, [this](std::string_view id) { return nodes_.IsRemoved(id); });
  membership_ = std::make_unique<MembershipService>(
      *plane_, *access_,
      MembershipService::Options{.heartbeat_ms = options_.heartbeat_ms, .silence_ms = options_.silence_ms},
      [this](uint64_t replica, FailureReport report) { failures_->Suspect(replica, std::move(report)); });
  MakeRouting();
  cluster_ = std::make_unique<ClusterService>(*plane_, *access_, *audit_, *specialists_office_,
                                              [this](enigma::v1::DiagnoseReply& reply) { DescribeDiscovery(reply); });
  content_ = std::make_unique<ContentService>(*plane_, *access_);
  inference_ = std::make_unique<InferenceService>(*plane_, *access_, *router_, options_.request_time_max);
  job_keeper_ = std::make_unique<JobKeeper>(*plane_, jobs_, job_folders_,
                                            JobKeeper::Options{.return_grace = options_.return_grace});
  training_ = std::make_unique<TrainingService>(*plane_, jobs_, job_folders_, *job_keeper_, *access_, *audit_);
  job_files_ = std::make_unique<JobFilesService>(*plane_, jobs_, job_folders_, *access_);
  nodes_.SetListener([this](const Node& node) {
    if (node.state == NodeState::kDead) {
      LogWarn("node {} is dead: {}", node.Label(), node.state_reason);
      failures_->NodeDied(node);
      membership_->NodeDied(node.id);
    }
    job_keeper_->Wake();
    if (node.state == NodeState::kReady && node.measured()) return keeper_->NodeCame(node.id);
    keeper_->Wake();
  });
  metrics_.Gauge(Metric::kBuildInfo, {{"version", options_.version}}).Set(1);
}

void CoordinatorImpl::MakeRouting() {
  specialist_keeper_ = std::make_unique<SpecialistKeeper>(*plane_, specialists_,
                                                          SpecialistKeeper::Options{.lost_wait = options_.lost_wait});
  router_ = std::make_unique<RequestRouter>(
      *plane_, specialists_, *specialist_keeper_,
      RequestRouter::Options{.patience = options_.router_patience, .pause = options_.router_pause});
  const std::string file = AbsolutePath(options_.specialists_file);
  specialists_office_ = std::make_unique<SpecialistsOffice>(*plane_, specialists_, file);
  if (file.empty()) return;
  specialists_watcher_ = std::make_unique<SpecialistsWatcher>(
      *plane_, specialists_, SpecialistsWatcher::Options{.path = file, .period = options_.specialists_look});
}

absl::Status CoordinatorImpl::TakeShippedModels() {
  const std::string folder = AbsolutePath(options_.models_folder);
  absl::StatusOr<size_t> files = 0;
  if (!folder.empty()) files = RegisterShippedModels(*plane_, folder);
  if (!files.ok()) {
    if (!options_.models_folder_optional) return files.status();
    LogWarn("the models that come with the program are left out: {}", Describe(files.status()));
  }
  ENIGMA_RETURN_IF_ERROR(ForgetDemandForAbsent(*plane_));
  // A folder without models is a source tree where none was made yet: nothing is wrong with its registry.
  const bool any = files.ok() && *files > 0;
  if (any && options_.specialists_file.empty()) UseShippedSpecialists(*plane_, specialists_, folder);
  return absl::OkStatus();
}

absl::Status CoordinatorImpl::Listen() {
  // Loads wait for this mutex, so none sees `self` before it is filled in.
  absl::MutexLock lock(&plane_->placement_mutex);
  ServerOptions server;
  server.host = options_.listen_host;
  server.port = options_.listen_port;
  server.identity = credentials_.identity() ? &*credentials_.identity() : nullptr;
  if (!options_.public_grpc_host.empty()) {
    server.public_address = {.host = options_.public_grpc_host,
                             .port = options_.public_grpc_port,
                             .certificate = *credentials_.certificate(),
                             .chain_path = credentials_.PublicPemPath(),
                             .key_path = credentials_.PublicPemPath()};
  }
  server.services = {membership_.get(), cluster_.get(),  content_.get(),
                     inference_.get(),  training_.get(), job_files_.get()};
  server.reflection = true;
  ENIGMA_ASSIGN_OR_RETURN(server_, RpcServer::Start(server));
  for (const char* service : {"Membership", "Cluster", "Content", "Inference", "Training", "JobFiles"}) {
    SetServing(absl::StrCat("enigma.v1.", service), true);
  }
  plane_->self.set_node_id(credentials_.node_id());
  ENIGMA_ASSIGN_OR_RETURN(const std::vector<std::string> addresses, AddressesForWorkers(options_));
  for (const std::string& address : addresses) {
    plane_->self.add_endpoints(Endpoint{address, server_->port()}.ToText());
  }
  silence_ =
      std::make_unique<SilenceChecker>(nodes_, *options_.clock, metrics_, absl::Milliseconds(options_.silence_ms));
  progress_ = std::make_unique<ProgressWatcher>(
      *plane_, ProgressWatcher::Options{.stall_after = options_.stall_after,
                                        .has_specialists = [this] { return router_->in_force(); }});
  return absl::OkStatus();
}

absl::Status CoordinatorImpl::StartBeacons() {
  if (!options_.udp) return absl::OkStatus();
  UdpBeaconSource::Options beacons;
  beacons.identity = credentials_.identity();
  beacons.insecure = options_.insecure;
  if (options_.insecure) beacons.cluster_id = std::string(kInsecureClusterId);
  beacons.node_id = credentials_.node_id();
  beacons.role = Role::kCoordinator;
  beacons.grpc_port = server_->port();
  beacons.port = options_.udp_port;
  beacons.interfaces.only = options_.interfaces;
  beacons.metrics = &metrics_;
  ENIGMA_ASSIGN_OR_RETURN(beacons_, UdpBeaconSource::Create(std::move(beacons), *options_.clock));
  sightings_ = std::make_unique<SightingWatcher>(*beacons_, nodes_);
  return absl::OkStatus();
}

void CoordinatorImpl::WarnWhenNobodyMayAsk() const {
  if (options_.no_auth || IsLoopbackHost(options_.http_host) || keys_.HasUsableKey()) return;
  LogWarn(
      "the HTTP API listens on {} and no API key is good: every request from another machine is refused (401). "
      "`enigma keys create --name NAME` makes a key; --no-auth serves everybody who can connect",
      Endpoint{options_.http_host, http_->port()}.ToText());
}

absl::Status CoordinatorImpl::WriteFiles() {
  if (!options_.token_file.empty() && credentials_.authority() != nullptr) {
    ENIGMA_ASSIGN_OR_RETURN(const enigma::v1::CreateTokenReply token, CreateToken(*plane_, kTokenFileValid));
    ENIGMA_RETURN_IF_ERROR(WritePrivateFile(options_.token_file, token.token() + "\n"));
  }
  wrote_files_ = true;
  const bool is_public = server_->public_port() != 0;
  return WriteEndpointFile(
      options_.data_dir,
      {.grpc = LocalEndpoint(options_.listen_host, server_->port()),
       .http = LocalEndpoint(options_.http_host, http_->port()),
       .https = credentials_.certificate().has_value(),
       .public_grpc = is_public ? LocalEndpoint(options_.public_grpc_host, server_->public_port()) : "",
       .tls_chain_path = AbsolutePath(options_.tls_chain_path),
       .tls_key_path = AbsolutePath(options_.tls_key_path),
       .cluster_id = plane_->cluster_id,
       .insecure = options_.insecure});
}

void CoordinatorImpl::DescribeDiscovery(enigma::v1::DiagnoseReply& reply) const {
  if (beacons_ == nullptr) return;
  const DiscoveryReport report = beacons_->Report();
  for (const InterfaceCounts& counts : report.interfaces) {
    auto* interface = reply.add_interfaces();
    interface->set_name(counts.interface.name);
    if (!counts.interface.addresses.empty()) interface->set_address(counts.interface.addresses.front().address);
    interface->set_used(counts.interface.used);
    interface->set_reason(counts.interface.reason);
    interface->set_beacons_sent(counts.beacons_sent);
    interface->set_beacons_received(counts.beacons_received);
    interface->set_send_errors(counts.send_errors);
    interface->set_last_error(counts.last_error);
  }
  for (const auto& [reason, count] : report.dropped) (*reply.mutable_dropped_beacons())[reason] = count;
}

void CoordinatorImpl::SetServing(const std::string& service, bool serving) {
  if (auto* health = server_->grpc_server().GetHealthCheckService(); health != nullptr) {
    health->SetServingStatus(service, serving);
  }
}

void CoordinatorImpl::Drain(absl::Duration timeout) {
  if (told_to_end_.exchange(true)) return;
  drain_until_ = options_.clock->Monotonic() + timeout;
  // Not ready before anybody is refused, so that who balances load has the chance to see it first.
  SetServing("", false);
  SetServing("enigma.v1.Inference", false);
  intake_.Close(absl::UnavailableError("the coordinator is draining: it takes no new requests and is about to stop"));
  LogInfo("draining: {} requests are under way and have {} to end", intake_.inside(), absl::FormatDuration(timeout));
  ending_.Notify();
}

void CoordinatorImpl::Run() {
  ending_.WaitForNotification();
  while (!stopped_.HasBeenNotified() && !intake_.AwaitNone(kLookEvery)) {
    if (options_.clock->Monotonic() < drain_until_) continue;
    LogWarn("the time to drain is over; {} requests are ended", intake_.inside());
    break;
  }
  Stop();
}

void CoordinatorImpl::Stop() {
  if (!told_to_end_.exchange(true)) ending_.Notify();
  absl::MutexLock lock(&stop_mutex_);
  if (stopped_.HasBeenNotified()) return;
  if (wrote_files_) RemoveEndpointFile(options_.data_dir);
  // From the edge inwards; nothing below calls what is already gone.
  constexpr char kWhy[] = "the coordinator is stopping";
  intake_.Close(absl::UnavailableError(kWhy));
  specialists_watcher_.reset();
  if (specialist_keeper_ != nullptr) specialist_keeper_->Stop();
  if (keeper_ != nullptr) keeper_->Stop();
  if (job_keeper_ != nullptr) job_keeper_->Stop();  // ranks go on without it
  silence_.reset();
  progress_.reset();
  // Streams that have no end of their own are ended here, with the reason, before the server cancels what is left.
  if (dispatcher_ != nullptr) dispatcher_->Clear(absl::UnavailableError(kWhy));
  for (const Replica& replica : replicas_.List()) {
    if (replica.state == ReplicaState::kLoading) replicas_.MarkFailed(replica.id, kWhy);  // its load ends with that
  }
  if (http_ != nullptr) http_->Stop(absl::Seconds(1));  // its answers have just ended, with the reason
  if (membership_ != nullptr) membership_->Stop(kWhy);
  if (server_ != nullptr) server_->Shutdown();
  if (router_ != nullptr) router_->executor().Stop();  // what it still decides is of calls that have ended
  credentials_.RemovePublicPem();
  failures_.reset();
  sightings_.reset();
  if (const absl::Status saved = keys_.SaveLastUses(); !saved.ok()) {
    LogWarn("when API keys were last used is not saved: {}", Describe(saved));
  }
  stopped_.Notify();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Coordinator>> Coordinator::Create(const Options& options) {
  if (options.data_dir.empty()) return absl::InvalidArgumentError("data_dir: the coordinator needs a data folder");
  if (options.silence_ms < 2 * options.heartbeat_ms) {
    return absl::InvalidArgumentError("silence_ms must be at least twice heartbeat_ms");
  }
  std::error_code error;
  std::filesystem::create_directories(options.data_dir, error);
  if (error) {
    return absl::UnavailableError(
        absl::StrCat("cannot make the data folder ", options.data_dir, ": ", error.message()));
  }
  ENIGMA_ASSIGN_OR_RETURN(std::unique_ptr<Store> store, RocksDbStore::Open(options.data_dir + "/state"));
  auto coordinator = std::make_unique<CoordinatorImpl>(options, std::move(store));
  ENIGMA_RETURN_IF_ERROR(coordinator->Start());
  return coordinator;
}

}  // namespace enigma::coordinator
