// What the HTTP API costs beside gRPC, on a running cluster of this machine.
//   gateway_bench first-token --data-dir DIR --model M [--runs 5] [--requests 400]
//     time from a request to its first token, one over HTTP and one over gRPC in turn, and the difference of
//     percentiles
//   gateway_bench streams --data-dir DIR --model M [--streams 1000] [--tokens 400]
//     the coordinator's memory with so many streams open, most of which wait for their turn at the worker (it needs
//     --running-max N, or ENIGMA_RUNNING_MAX, and answers that take long)
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <vector>

#include <CLI/CLI.hpp>
#include <absl/strings/str_cat.h>
#include <nlohmann/json.hpp>

#include "benchmarks/latencies.h"
#include "cli/cluster/cluster_client.h"
#include "tests/unit/coordinator/http_client.h"

namespace enigma {
namespace {

using coordinator::testing::RawHttp;

struct Settings {
  cli::ClusterFlags flags;
  std::string model;
  int runs = 5;
  int requests = 400;
  int streams = 1000;
  int tokens = 400;
};

struct Endpoint {
  int http_port = 0;
  int pid = 0;
};
Endpoint EndpointOf(const std::string& data_dir) {
  std::ifstream in(data_dir + "/endpoint.json");
  const auto json = nlohmann::json::parse(in);
  const std::string http = json.at("http");
  return {std::stoi(http.substr(http.rfind(':') + 1)), json.at("pid")};
}

// KiB.
int64_t ResidentMemory(int pid) {
  std::ifstream in(absl::StrCat("/proc/", pid, "/status"));
  for (std::string line; std::getline(in, line);) {
    if (line.rfind("VmRSS:", 0) == 0) return std::stoll(line.substr(6));
  }
  return -1;
}

// Requests that the coordinator has handed to workers.
int Running(int http_port) {
  std::istringstream lines(coordinator::testing::Get(http_port, "/metrics").body);
  int sum = 0;
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("vllm:num_requests_running{", 0) == 0) sum += std::stoi(line.substr(line.rfind(' ')));
  }
  return sum;
}

std::string CompletionRequest(const std::string& model, int tokens) {
  const nlohmann::json ask = {{"model", model},       {"prompt", "Once upon a time"},
                              {"max_tokens", tokens}, {"temperature", 0},
                              {"stream", true},       {"ignore_eos", true}};
  const std::string body = ask.dump();
  return absl::StrCat("POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n",
                      "Content-Length: ", body.size(), "\r\n\r\n", body);
}

// Milliseconds, -1 when it failed.
double HttpFirstToken(RawHttp& http, const std::string& request) {
  const auto start = SteadyClock::now();
  if (!http.Send(request) || !http.ReadUntil("data: {")) return -1;
  const double first = Since(start);
  return http.Read().status == 200 ? first : -1;
}

double GrpcFirstToken(cli::ClusterClient& client, const v1::GenerateRequest& request) {
  grpc::ClientContext context;
  const auto start = SteadyClock::now();
  auto reader = client.inference().Generate(&context, request);
  v1::GenerateChunk chunk;
  double first = -1;
  while (reader->Read(&chunk)) {
    if (first < 0 && chunk.ids_size() > 0) first = Since(start);
  }
  return reader->Finish().ok() ? first : -1;
}

int FirstToken(const Settings& settings) {
  auto client = cli::ClusterClient::Open(settings.flags);
  if (!client.ok()) {
    std::fprintf(stderr, "gateway_bench: %s\n", std::string(client.status().message()).c_str());
    return 1;
  }
  RawHttp http(EndpointOf(settings.flags.data_dir).http_port);
  const std::string http_request = CompletionRequest(settings.model, 1);
  v1::GenerateRequest grpc_request;
  grpc_request.set_model(settings.model);
  grpc_request.set_prompt("Once upon a time");
  grpc_request.mutable_sampling()->set_temperature(0);
  grpc_request.mutable_sampling()->set_ignore_eos(true);
  grpc_request.mutable_sampling()->set_max_tokens(1);
  std::vector<double> added_p50, added_p99;
  for (int run = 0; run < settings.runs; ++run) {
    std::vector<double> by_http, by_grpc;
    for (int i = -20; i < settings.requests; ++i) {  // the first few warm up
      const double over_http = HttpFirstToken(http, http_request);
      const double over_grpc = GrpcFirstToken(**client, grpc_request);
      if (over_http < 0 || over_grpc < 0) {
        std::fprintf(stderr, "gateway_bench: a request failed\n");
        return 1;
      }
      if (i < 0) continue;
      by_http.push_back(over_http);
      by_grpc.push_back(over_grpc);
    }
    const double http_p50 = Percentile(by_http, 0.5), grpc_p50 = Percentile(by_grpc, 0.5);
    const double http_p99 = Percentile(by_http, 0.99), grpc_p99 = Percentile(by_grpc, 0.99);
    added_p50.push_back(http_p50 - grpc_p50);
    added_p99.push_back(http_p99 - grpc_p99);
    std::printf("first token, ms: HTTP p50 %.2f p99 %.2f, gRPC p50 %.2f p99 %.2f\n", http_p50, http_p99, grpc_p50,
                grpc_p99);
  }
  std::printf("added by HTTP, median of %d runs: p50 %.2f ms, p99 %.2f ms\n", settings.runs, Percentile(added_p50, 0.5),
              Percentile(added_p99, 0.5));
  return 0;
}

int Streams(const Settings& settings) {
  const Endpoint endpoint = EndpointOf(settings.flags.data_dir);
  const int64_t before = ResidentMemory(endpoint.pid);
  std::vector<std::unique_ptr<RawHttp>> streams;
  const std::string request = CompletionRequest(settings.model, settings.tokens);
  for (int i = 0; i < settings.streams; ++i) {
    streams.push_back(std::make_unique<RawHttp>(endpoint.http_port));
    if (!streams.back()->Send(request)) return 1;
  }
  const auto start = SteadyClock::now();
  while (Running(endpoint.http_port) < settings.streams) {
    if (Since(start) > 60'000) {
      std::fprintf(stderr, "gateway_bench: only %d streams run\n", Running(endpoint.http_port));
      return 1;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  const int64_t open = ResidentMemory(endpoint.pid);
  streams.clear();
  std::this_thread::sleep_for(std::chrono::seconds(2));
  std::printf("coordinator, MiB: %.1f before, %.1f with %d streams open, %.1f after\n",
              static_cast<double>(before) / 1024, static_cast<double>(open) / 1024, settings.streams,
              static_cast<double>(ResidentMemory(endpoint.pid)) / 1024);
  return 0;
}

int Main(int argc, char** argv) {
  CLI::App app{"What the HTTP API costs"};
  Settings settings;
  CLI::App* first_token = app.add_subcommand("first-token", "time to the first token over HTTP and over gRPC");
  first_token->add_option("--runs", settings.runs)->check(CLI::Range(1, 1000));
  first_token->add_option("--requests", settings.requests)->check(CLI::Range(1, 1'000'000));
  CLI::App* streams = app.add_subcommand("streams", "memory of many streams");
  streams->add_option("--streams", settings.streams)->check(CLI::Range(1, 100'000));
  streams->add_option("--tokens", settings.tokens)->check(CLI::Range(1, 1'000'000));
  for (CLI::App* command : {first_token, streams}) {
    command->add_option("--data-dir", settings.flags.data_dir)->required();
    command->add_option("--model", settings.model)->required();
  }
  app.require_subcommand(1);
  CLI11_PARSE(app, argc, argv);
  return first_token->parsed() ? FirstToken(settings) : Streams(settings);
}

}  // namespace
}  // namespace enigma

int main(int argc, char** argv) { return enigma::Main(argc, argv); }
