#pragma once

#include <memory>
#include <string>

#include <absl/status/statusor.h>

#include "telemetry/metrics.h"

namespace prometheus {
class Exposer;
}

namespace enigma {

// Serves GET /metrics over HTTP until destroyed. The metrics must outlive it.
class MetricsExposer {
 public:
  struct Options {
    std::string host = "0.0.0.0";
    int port = 9464;  // 0 picks a free one
  };

  // A busy port is an error that names it.
  static absl::StatusOr<std::unique_ptr<MetricsExposer>> Start(const Options& options, const Metrics& metrics);
  ~MetricsExposer();

  [[nodiscard]] int port() const { return port_; }

 private:
  MetricsExposer(std::unique_ptr<prometheus::Exposer> exposer, std::string host, int port);

  std::unique_ptr<prometheus::Exposer> exposer_;
  const std::string host_;
  const int port_;
};

}  // namespace enigma
