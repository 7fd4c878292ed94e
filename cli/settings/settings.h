#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "cli/settings/option_table.h"
#include "rpc/endpoint.h"

namespace enigma::cli {

// "512", "64K", "12G".
absl::StatusOr<uint64_t> ParseBytes(std::string_view text);

// Where a daemon listens. ":8080" is every address; the port has to be there.
absl::StatusOr<enigma::Endpoint> ParseListening(std::string_view text);

// What a daemon was told, every value checked: the file of --config, then the environment, then flags, each overriding
// the one before.
class Settings {
 public:
  using Values = std::map<std::string, std::vector<std::string>>;  // by option name
  using Environment = std::function<const char*(const char*)>;     // ::getenv

  // `file` may be empty. Errors name where the value came from: the flag, the variable, or file, line and key.
  static absl::StatusOr<Settings> Resolve(unsigned daemon, const std::string& file, const Environment& environment,
                                          const Values& flags);

  std::string Text(std::string_view name) const;  // the default where unset
  std::vector<std::string> Texts(std::string_view name) const;
  enigma::Endpoint Endpoint(std::string_view name) const;
  uint16_t Port(std::string_view name) const;
  uint64_t Count(std::string_view name) const;
  uint64_t Bytes(std::string_view name) const;
  bool Switch(std::string_view name) const;
  bool IsSet(std::string_view name) const;  // by file, environment or flag
  // Whether `name` was set in a place that overrides the one where `other` was: of two settings that exclude each
  // other.
  bool IsNearer(std::string_view name, std::string_view other) const;

 private:
  enum class Place { kNone, kFile, kEnvironment, kFlag };

  explicit Settings(unsigned daemon) : daemon_(daemon) {}
  absl::Status Set(std::string_view name, std::vector<std::string> values, const std::string& origin);
  absl::Status ReadFile(const std::string& file);

  unsigned daemon_;
  Values values_;
  Place place_ = Place::kFile;  // that is being read
  std::map<std::string, Place> places_;
};

}  // namespace enigma::cli
