#include "discovery/static_source.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <memory>
#include <utility>

#include <absl/memory/memory.h>
#include <absl/strings/str_cat.h>
#include <absl/time/clock.h>

#include "base/status_macros.h"
#include "telemetry/log.h"

namespace enigma {

absl::StatusOr<std::vector<std::string>> ResolveWithSystem(const std::string& host) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  if (const int error = getaddrinfo(host.c_str(), nullptr, &hints, &list); error != 0) {
    return absl::UnavailableError(absl::StrCat("cannot resolve ", host, ": ", gai_strerror(error)));
  }
  const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner(list, &freeaddrinfo);
  std::vector<std::string> addresses;
  for (const addrinfo* at = list; at != nullptr; at = at->ai_next) {
    // NI_NUMERICHOST keeps the zone of a link-local address.
    char text[NI_MAXHOST];
    if (getnameinfo(at->ai_addr, at->ai_addrlen, text, sizeof text, nullptr, 0, NI_NUMERICHOST) != 0) continue;
    if (std::find(addresses.begin(), addresses.end(), text) == addresses.end()) addresses.emplace_back(text);
  }
  return addresses;
}

absl::StatusOr<std::unique_ptr<StaticSource>> StaticSource::Create(Options options) {
  std::vector<Seed> seeds;
  for (const std::string& text : options.seeds) {
    auto endpoint = ParseEndpoint(text, options.default_port);
    if (!endpoint.ok()) return absl::InvalidArgumentError(absl::StrCat("seed ", endpoint.status().message()));
    seeds.push_back({*std::move(endpoint), {}, absl::InfinitePast(), ""});
  }
  return absl::WrapUnique(new StaticSource(std::move(options), std::move(seeds)));
}

StaticSource::StaticSource(Options options, std::vector<Seed> seeds)
    : options_(std::move(options)), seeds_(std::move(seeds)), thread_([this] { Run(); }) {}

StaticSource::~StaticSource() {
  stopping_.Notify();
  thread_.join();
}

void StaticSource::Run() {
  size_t count = 0;
  {
    const absl::MutexLock lock(&mutex_);
    count = seeds_.size();
  }
  do {
    for (size_t i = 0; i < count && !stopping_.HasBeenNotified(); ++i) ResolveOne(i);
  } while (!stopping_.WaitForNotificationWithTimeout(options_.resolve_every));
}

void StaticSource::ResolveOne(size_t index) {
  std::string host;
  {
    const absl::MutexLock lock(&mutex_);
    host = seeds_[index].endpoint.host;
  }
  const auto addresses = options_.resolve(host);  // may take seconds: outside the lock
  const absl::MutexLock lock(&mutex_);
  Seed& seed = seeds_[index];
  if (!addresses.ok() || addresses->empty()) {
    const std::string failure = addresses.ok() ? absl::StrCat(host, " has no address") : Describe(addresses.status());
    if (failure != seed.failure) LogWarn("seed {}: {}; trying again", seed.endpoint.ToText(), failure);
    seed.failure = failure;
    return;
  }
  if (!seed.failure.empty()) LogInfo("seed {} resolves again", seed.endpoint.ToText());
  seed.failure.clear();
  seed.last_resolved = absl::Now();
  if (seed.addresses == *addresses) return;
  // Name servers rotate their records; the same addresses in another order are no news.
  std::vector<std::string> before = seed.addresses, after = *addresses;
  std::sort(before.begin(), before.end());
  std::sort(after.begin(), after.end());
  seed.addresses = *addresses;
  if (before != after) changes_.Increment();
}

std::vector<NodeSighting> StaticSource::Snapshot() const {
  const absl::MutexLock lock(&mutex_);
  std::vector<NodeSighting> sightings;
  for (const Seed& seed : seeds_) {
    if (seed.addresses.empty()) continue;
    NodeSighting one;
    for (const std::string& address : seed.addresses) {
      one.endpoints.push_back(Endpoint{address, seed.endpoint.port}.ToText());
    }
    one.last_seen = seed.last_resolved;
    one.found_by = "static";
    sightings.push_back(std::move(one));
  }
  return sightings;
}

}  // namespace enigma
