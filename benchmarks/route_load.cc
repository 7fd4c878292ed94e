// What routing takes on a running cluster: requests for the model "auto" beside the same ones for the model that
// answers them, in turn, and questions to the router alone, one after another, while N streams of that model run all
// along.
//   route_load --data-dir DIR --model M [--text TEXT] [--requests 200] [--streams 0] [--json]
// Prints p50 and p99 in ms of a classification and of the first token both ways, as the client sees them.
#include <atomic>
#include <cstdio>
#include <thread>

#include <CLI/CLI.hpp>

#include "benchmarks/latencies.h"
#include "cli/cluster/cluster_client.h"

namespace enigma {
namespace {

struct Load {
  std::string model;  // that "auto" leads to
  std::string text =
      "Please tell me in a few words how I can add another machine to the cluster that is already running";
  int requests = 200;
  int streams = 0;
};

struct Samples {
  std::vector<double> classified_ms;
  std::vector<double> routed_ms;  // to the first token
  std::vector<double> direct_ms;
};

grpc::Status Classify(cli::ClusterClient& client, const Load& load, std::vector<double>& out) {
  v1::ClassifyRequest request;
  request.set_model("auto");
  request.set_text(load.text);
  v1::ClassifyReply reply;
  grpc::ClientContext context;
  const auto start = SteadyClock::now();
  const grpc::Status status = client.inference().Classify(&context, request, &reply);
  if (status.ok()) out.push_back(Since(start));
  return status;
}

// Generates `tokens`; the time to the first one goes into `out`.
grpc::Status Generate(cli::ClusterClient& client, const Load& load, const std::string& model, uint32_t tokens,
                      std::vector<double>* out, const std::atomic<bool>* stop = nullptr) {
  v1::GenerateRequest request;
  request.set_model(model);
  auto* message = request.mutable_chat()->add_messages();
  message->set_role("user");
  message->set_content(load.text);
  request.mutable_sampling()->set_temperature(0);
  request.mutable_sampling()->set_ignore_eos(true);
  request.mutable_sampling()->set_max_tokens(tokens);
  grpc::ClientContext context;
  const auto start = SteadyClock::now();
  const auto reader = client.inference().Generate(&context, request);
  bool first = true;
  for (v1::GenerateChunk chunk; reader->Read(&chunk);) {
    if (chunk.ids_size() == 0) continue;
    if (first && out != nullptr) out->push_back(Since(start));
    first = false;
    if (stop != nullptr && *stop) context.TryCancel();
  }
  const grpc::Status status = reader->Finish();
  const bool ended = stop != nullptr && *stop;
  return ended ? grpc::Status() : status;
}

grpc::Status Measure(cli::ClusterClient& client, const Load& load, Samples& samples) {
  for (int i = 0; i < load.requests; ++i) {
    const grpc::Status results[] = {Classify(client, load, samples.classified_ms),
                                    Generate(client, load, "auto", 1, &samples.routed_ms),
                                    Generate(client, load, load.model, 1, &samples.direct_ms)};
    for (const grpc::Status& status : results) {
      if (!status.ok()) return status;
    }
  }
  return grpc::Status();
}

void Print(const Load& load, const Samples& samples, bool json) {
  const auto print = [&](const char* name, const std::vector<double>& values, const char* end) {
    std::printf(json ? "\"%s\":{\"p50\":%.3f,\"p99\":%.3f}%s" : "%s p50 %.3f ms p99 %.3f ms%s", name,
                Percentile(values, 0.5), Percentile(values, 0.99), end);
  };
  std::printf(json ? "{\"streams\":%d," : "%d streams: ", load.streams);
  print(json ? "classified_ms" : "classified", samples.classified_ms, json ? "," : ", ");
  print(json ? "routed_ms" : "first token routed", samples.routed_ms, json ? "," : ", ");
  print(json ? "direct_ms" : "direct", samples.direct_ms, json ? "}\n" : "\n");
}

int Main(int argc, char** argv) {
  CLI::App app{"What routing takes on a running Enigma cluster"};
  cli::ClusterFlags flags;
  Load load;
  bool json = false;
  app.add_option("--data-dir", flags.data_dir)->required();
  app.add_option("--model", load.model)->required();
  app.add_option("--text", load.text);
  app.add_option("--requests", load.requests);
  app.add_option("--streams", load.streams);
  app.add_flag("--json", json);
  CLI11_PARSE(app, argc, argv);

  auto client = cli::ClusterClient::Open(flags);
  if (!client.ok()) {
    std::fprintf(stderr, "route_load: %s\n", std::string(client.status().message()).c_str());
    return 1;
  }
  std::atomic<bool> stop = false;
  std::vector<std::thread> streams;
  for (int i = 0; i < load.streams; ++i) {
    streams.emplace_back([&] {
      while (!stop && Generate(**client, load, load.model, 64, nullptr, &stop).ok()) {
      }
    });
  }
  Samples samples;
  const grpc::Status status = Measure(**client, load, samples);
  stop = true;
  for (std::thread& stream : streams) stream.join();
  if (!status.ok()) {
    std::fprintf(stderr, "route_load: a request failed: %s\n", status.error_message().c_str());
    return 1;
  }
  Print(load, samples, json);
  return 0;
}

}  // namespace
}  // namespace enigma

int main(int argc, char** argv) { return enigma::Main(argc, argv); }
