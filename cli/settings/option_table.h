#pragma once

#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <string_view>

namespace enigma::cli {

enum class OptionKind {
  kText,
  kTexts,      // may be given several times; a list in the file, commas in the environment
  kAddresses,  // HOST or HOST:PORT, several as with kTexts
  kPath,
  kEndpoint,  // HOST:PORT; port 0 picks a free one
  kPort,      // 0 to 65535
  kCount,     // a whole number from `least` to `most`
  kBytes,     // a whole number with an optional suffix K, M, G or T (powers of 1024)
  kSwitch,    // true or false; as a flag it takes no value
};

// Which daemons take an option.
enum DaemonMask : unsigned { kCoordinatorDaemon = 1, kWorkerDaemon = 2 };

// One setting of a daemon. `--name` is its flag, `name` its key in the file of --config, ENIGMA_NAME (capitals,
// underscores) its environment variable. Everything that names a setting (help, file, environment, deploy/, the
// README's test) is held to this table.
struct DaemonOption {
  const char* name;
  OptionKind kind;
  unsigned daemons;
  const char* coordinator_default;  // as it would be typed; "" where unset
  const char* worker_default;
  const char* help;
  bool secret = false;  // never printed
  uint64_t least = 0;
  uint64_t most = std::numeric_limits<uint32_t>::max();
};

std::span<const DaemonOption> DaemonOptions();
const DaemonOption* FindDaemonOption(std::string_view name, unsigned daemon);
std::string EnvironmentName(std::string_view option_name);
const char* DefaultOf(const DaemonOption& option, unsigned daemon);
std::string_view KindName(OptionKind kind);

}  // namespace enigma::cli
