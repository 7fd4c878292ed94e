#include "telemetry/exposer.h"

#include <exception>
#include <string>
#include <utility>
#include <vector>

#include <absl/memory/memory.h>
#include <absl/strings/str_cat.h>
#include <prometheus/exposer.h>

namespace enigma {

MetricsExposer::MetricsExposer(std::unique_ptr<prometheus::Exposer> exposer, int port)
    : exposer_(std::move(exposer)), port_(port) {}

MetricsExposer::~MetricsExposer() = default;

absl::StatusOr<std::unique_ptr<MetricsExposer>> MetricsExposer::Start(const Options& options, const Metrics& metrics) {
  const bool is_ipv6 = options.host.find(':') != std::string::npos && options.host.front() != '[';
  const std::string address =
      is_ipv6 ? absl::StrCat("[", options.host, "]:", options.port) : absl::StrCat(options.host, ":", options.port);
  try {
    // Several threads and a short patience: one idle connection must not keep everybody else from the metrics.
    const std::vector<std::string> settings = {"listening_ports",    address, "num_threads",           "4",
                                               "request_timeout_ms", "2000",  "keep_alive_timeout_ms", "2000"};
    auto exposer = std::make_unique<prometheus::Exposer>(settings);
    exposer->RegisterCollectable(metrics.registry());
    const auto ports = exposer->GetListeningPorts();
    if (ports.empty()) return absl::InternalError(absl::StrCat("the metrics server on ", address, " opened no port"));
    return absl::WrapUnique(new MetricsExposer(std::move(exposer), ports.front()));
  } catch (const std::exception& error) {
    return absl::UnavailableError(
        absl::StrCat("cannot serve metrics on ", address, " (", error.what(),
                     "): the port is in use or may not be bound; choose another one, or 0 for "
                     "any free one"));
  }
}

}  // namespace enigma
