#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "base/clock.h"

namespace enigma::coordinator {

// The coordinator daemon: admits nodes, places models on them, trains models, and serves enigma.v1's Membership,
// Cluster, Content, Inference, Training and JobFiles on one port. What it keeps in the data folder:
//   state/              RocksDB
//   jobs/               data, checkpoints and models of training jobs (coordinator/jobs/job_folders.h)
//   pki/ca.pem          the cluster's CA (made on the first start)
//   pki/coordinator.pem this coordinator's identity
//   pki/cluster-ca.crt  the CA's certificate alone, for clients
//   pki/public.pem      what the public gRPC address shows, key and all, while it runs: a checked copy of the tls files
//   pki/admin.pem       an identity for commands given on this machine (rpc/identity.h: LoadIdentity)
//   audit.log           who administered what (coordinator/gateway/audit.h)
//   endpoint.json       where it listens and how, while it runs (coordinator/endpoint_file.h)
class Coordinator {
 public:
  struct Options {
    std::string data_dir;
    std::string listen_host = "0.0.0.0";
    int listen_port = 50051;  // 0 picks a free one
    std::string http_host = "127.0.0.1";
    int http_port = 8080;                          // /metrics; 0 picks a free one
    absl::Duration http_ping = absl::Seconds(15);  // a stream with nothing to say sends a comment after so long
    // HTTP speaks TLS with the certificate in these files of PEM, or with one of the cluster's own CA.
    std::string tls_chain_path;
    std::string tls_key_path;
    bool tls_self_signed = false;
    // A second address for gRPC clients that hold an API key, with the same certificate; empty: none.
    std::string public_grpc_host;
    int public_grpc_port = 0;  // 0 picks a free one
    int udp_port = 50052;      // beacons
    bool udp = true;
    std::vector<std::string> interfaces;    // for beacons; empty: every real one
    std::vector<std::string> advertise;     // addresses (no port) on which workers reach this; empty: of the interfaces
    bool insecure = false;                  // no TLS, no tokens
    std::vector<std::string> cors_origins;  // whose pages may use HTTP from a browser; empty: none (openai/cors.h)
    bool no_auth = false;                   // inference for everybody who can connect
    std::string specialists_file;           // behind the model "auto" (routing/specialists.h); empty: none yet
    // Whose models, and registry where no file is given above, are there from the start (operations/shipped_models.h);
    // empty: none.
    std::string models_folder;
    bool models_folder_optional = false;                 // where it cannot be read, the log says so, and it is left out
    absl::Duration specialists_look = absl::Seconds(1);  // how often that file is looked at
    absl::Duration router_patience = absl::Seconds(1);   // how long a request waits for the router
    absl::Duration router_pause = absl::Seconds(5);      // how long nobody does after it was too slow
    absl::Duration lost_wait = absl::Seconds(30);        // likewise for a specialist that has lost a node
    std::string token_file;                              // where a join token is written at each start; empty: nowhere
    uint32_t heartbeat_ms = 200;
    uint32_t silence_ms = 1000;                       // without a heartbeat for so long a node is dead
    absl::Duration stall_after = absl::Seconds(60);   // a stage with work that finishes no step for so long is stalled
    absl::Duration return_grace = absl::Seconds(10);  // after a start: for the nodes of earlier placements
    // How long a replica on a node that leaves takes requests until another has its place.
    absl::Duration successor_wait = absl::Seconds(15);
    // After so long a request ends, whatever deadline its client set, or none; over HTTP and gRPC alike.
    absl::Duration request_time_max = absl::Hours(1);
    size_t running_max = 64;   // requests in one replica at a time
    size_t waiting_max = 256;  // requests that wait for one model; more are refused
    std::string version = "0.1.0";
    const Clock* clock = &Clock::System();
  };

  // Opens the state and listens; when it returns, calls are answered. Errors: another coordinator has the data folder,
  // a port is busy, a stored record is damaged or of a newer program.
  static absl::StatusOr<std::unique_ptr<Coordinator>> Create(const Options& options);
  virtual ~Coordinator() = default;  // stops

  // Blocks until Stop is called, or a drain is over.
  virtual void Run() = 0;
  // From now on it is not ready, and requests for inference are refused as UNAVAILABLE; those that run or wait go on
  // for at most `timeout`, then Run stops. Returns at once; later calls do nothing. Thread-safe.
  virtual void Drain(absl::Duration timeout) = 0;
  // Ends calls in progress and closes everything. Thread-safe, idempotent.
  virtual void Stop() = 0;

  virtual int grpc_port() const = 0;
  virtual int public_grpc_port() const = 0;  // 0 where there is none
  virtual int http_port() const = 0;
  virtual int udp_port() const = 0;  // 0 without beacons
  virtual const std::string& cluster_id() const = 0;
};

}  // namespace enigma::coordinator
