// Load on a running cluster: N streams at once, each R requests of P prompt and G generated tokens, one after another.
//   stream_load --data-dir DIR --model M [--streams 8] [--requests 3] [--prompt 64] [--tokens 128] [--json]
// Prints tokens/s of all streams together, and time to first token and between tokens (p50, p95).
#include <cstdio>
#include <thread>

#include <CLI/CLI.hpp>

#include "benchmarks/latencies.h"
#include "cli/cluster/cluster_client.h"

namespace enigma {
namespace {

struct Load {
  std::string model;
  int streams = 8;
  int requests = 3;
  int prompt = 64;
  int tokens = 128;
};

struct Samples {
  std::vector<double> first_token_ms;
  std::vector<double> between_ms;
  int64_t tokens = 0;
  std::string error;
};

Samples RunStream(cli::ClusterClient& client, const Load& load, int stream) {
  Samples samples;
  for (int r = 0; r < load.requests; ++r) {
    v1::GenerateRequest request;
    request.set_model(load.model);
    // Every stream asks something else, so that no shared prefix helps.
    for (int i = 0; i < load.prompt; ++i)
      request.mutable_prompt_ids()->add_ids(3 + (stream * 131 + r * 31 + i * 7) % 250);
    request.mutable_sampling()->set_temperature(0);
    request.mutable_sampling()->set_ignore_eos(true);
    request.mutable_sampling()->set_max_tokens(static_cast<uint32_t>(load.tokens));
    grpc::ClientContext context;
    const auto start = SteadyClock::now();
    auto last = start;
    bool first = true;
    auto reader = client.inference().Generate(&context, request);
    v1::GenerateChunk chunk;
    while (reader->Read(&chunk)) {
      if (chunk.ids_size() == 0) continue;
      samples.tokens += chunk.ids_size();
      (first ? samples.first_token_ms : samples.between_ms)
          .push_back(Since(first ? start : last) / (first ? 1 : chunk.ids_size()));
      first = false;
      last = SteadyClock::now();
    }
    if (const grpc::Status status = reader->Finish(); !status.ok()) {
      samples.error = status.error_message();
      return samples;
    }
  }
  return samples;
}

int Main(int argc, char** argv) {
  CLI::App app{"Load on a running Enigma cluster"};
  cli::ClusterFlags flags;
  Load load;
  bool json = false;
  app.add_option("--data-dir", flags.data_dir)->required();
  app.add_option("--model", load.model)->required();
  app.add_option("--streams", load.streams);
  app.add_option("--requests", load.requests);
  app.add_option("--prompt", load.prompt);
  app.add_option("--tokens", load.tokens);
  app.add_flag("--json", json);
  CLI11_PARSE(app, argc, argv);

  auto client = cli::ClusterClient::Open(flags);
  if (!client.ok()) {
    std::fprintf(stderr, "stream_load: %s\n", std::string(client.status().message()).c_str());
    return 1;
  }
  std::vector<Samples> results(static_cast<size_t>(load.streams));
  std::vector<std::thread> threads;
  const auto start = SteadyClock::now();
  for (int i = 0; i < load.streams; ++i) {
    threads.emplace_back([&, i] { results[static_cast<size_t>(i)] = RunStream(**client, load, i); });
  }
  for (auto& thread : threads) thread.join();
  const double seconds = Since(start) / 1000;

  Samples all;
  for (const auto& result : results) {
    if (!result.error.empty()) {
      std::fprintf(stderr, "stream_load: a request failed: %s\n", result.error.c_str());
      return 1;
    }
    all.tokens += result.tokens;
    all.first_token_ms.insert(all.first_token_ms.end(), result.first_token_ms.begin(), result.first_token_ms.end());
    all.between_ms.insert(all.between_ms.end(), result.between_ms.begin(), result.between_ms.end());
  }
  std::printf(json ? "{\"streams\":%d,\"tokens_per_second\":%.2f,\"ttft_ms\":{\"p50\":%.2f,\"p95\":%.2f},"
                     "\"itl_ms\":{\"p50\":%.3f,\"p95\":%.3f}}\n"
                   : "%d streams: %.2f tok/s, first token p50 %.2f ms p95 %.2f ms, between p50 %.3f ms p95 %.3f ms\n",
              load.streams, static_cast<double>(all.tokens) / seconds, Percentile(all.first_token_ms, 0.5),
              Percentile(all.first_token_ms, 0.95), Percentile(all.between_ms, 0.5), Percentile(all.between_ms, 0.95));
  return 0;
}

}  // namespace
}  // namespace enigma

int main(int argc, char** argv) { return enigma::Main(argc, argv); }
