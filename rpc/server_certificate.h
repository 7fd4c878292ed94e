#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include <absl/base/thread_annotations.h>
#include <absl/status/statusor.h>
#include <absl/synchronization/mutex.h>
#include <absl/time/time.h>

namespace enigma {

// What a server shows to clients that are no nodes: browsers, programs with an API key. PEM.
struct ServerCertificate {
  std::string chain_pem;  // its own certificate first
  std::string private_key_pem;
};

// Checks that the key belongs to the first certificate, that this is valid at `now` and that OpenSSL takes the whole
// chain for TLS. `chain_name` and `key_name` are what messages call the two: paths of files, as a rule.
absl::Status CheckServerCertificate(const ServerCertificate& certificate, std::string_view chain_name,
                                    std::string_view key_name, absl::Time now);

// A certificate in two files of PEM, or in one that is named twice, as certbot, cert-manager and `openssl req` write
// them. What it returns holds the certificates and the first private key alone. Thread-safe.
class ServerCertificateFiles {
 public:
  ServerCertificateFiles(std::string chain_path, std::string key_path);

  // Reads and checks them; an error names the file and what is wrong with it.
  absl::StatusOr<ServerCertificate> Read(absl::Time now);
  // What is in them now, where they have changed since they were read last. Files that are wrong change nothing: that
  // is logged, once for each change.
  std::optional<ServerCertificate> Renewed(absl::Time now);

 private:
  struct Stamp {
    std::filesystem::file_time_type chain;
    std::filesystem::file_time_type key;
    bool operator==(const Stamp&) const = default;
  };
  Stamp StampNow() const;
  absl::StatusOr<ServerCertificate> ReadLocked(absl::Time now) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const std::string chain_path_;
  const std::string key_path_;
  absl::Mutex mutex_;
  Stamp stamp_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace enigma
