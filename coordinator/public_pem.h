#pragma once

#include <optional>
#include <string>

#include <absl/status/status.h>

#include "rpc/server_certificate.h"

namespace enigma::coordinator {

// The file from which the public gRPC address takes its certificate. gRPC reads files again and again, and one that is
// no good, as in the middle of a renewal, takes the place of the one before: nobody can connect then. So it reads a
// single file, which is written whole and checked.
class PublicPem {
 public:
  // `wanted`: there is a public gRPC address; without one nothing is written. What an earlier process left is removed.
  PublicPem(std::string path, bool wanted);
  ~PublicPem() { Remove(); }
  PublicPem(const PublicPem&) = delete;
  PublicPem& operator=(const PublicPem&) = delete;

  const std::string& path() const { return path_; }
  absl::Status Show(const ServerCertificate& certificate) const;
  // Shows what was renewed, or tries again where that failed before. One thread.
  void Renew(const std::optional<ServerCertificate>& renewed);
  // With what a write of it may have left half done.
  void Remove() const;

 private:
  const std::string path_;
  const bool wanted_;
  std::optional<ServerCertificate> unshown_;
};

}  // namespace enigma::coordinator
