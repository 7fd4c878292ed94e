#include "telemetry/exposer.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include <absl/memory/memory.h>
#include <absl/strings/str_cat.h>
#include <prometheus/exposer.h>

namespace enigma {

namespace {

// Opens a connection to the port on this machine and closes it. Does not wait; it does not matter whether it works.
void Knock(const std::string& host, int port) {
  const bool wildcard = host.empty() || host == "0.0.0.0" || host == "::" || host == "[::]";
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
  addrinfo* found = nullptr;
  std::string name = wildcard ? "127.0.0.1" : host;
  std::erase_if(name, [](char c) { return c == '[' || c == ']'; });
  if (getaddrinfo(name.c_str(), std::to_string(port).c_str(), &hints, &found) != 0) return;
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd >= 0) {
    connect(fd, found->ai_addr, found->ai_addrlen);
    close(fd);
  }
  freeaddrinfo(found);
}

}  // namespace

MetricsExposer::MetricsExposer(std::unique_ptr<prometheus::Exposer> exposer, std::string host, int port)
    : exposer_(std::move(exposer)), host_(std::move(host)), port_(port) {}

// The server looks whether it is to stop each time that its wait for connections ends: after two seconds, or when one
// comes. So one comes.
MetricsExposer::~MetricsExposer() {
  std::atomic<bool> stopped = false;
  std::thread knocking([this, &stopped] {
    while (!stopped) {
      Knock(host_, port_);
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
    }
  });
  exposer_.reset();
  stopped = true;
  knocking.join();
}

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
    return absl::WrapUnique(new MetricsExposer(std::move(exposer), options.host, ports.front()));
  } catch (const std::exception&) {  // says nothing that would help
    return absl::UnavailableError(
        absl::StrCat("cannot serve metrics on ", address, ": port ", options.port,
                     " is in use by another process (see: ss -ltnp ", "'sport = :", options.port,
                     "'), or may not be bound by this user; choose another port, or 0 for any free one"));
  }
}

}  // namespace enigma
