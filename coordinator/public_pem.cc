#include "coordinator/public_pem.h"

#include <filesystem>
#include <utility>

#include <absl/strings/str_cat.h>

#include "rpc/private_file.h"
#include "telemetry/log.h"

namespace enigma::coordinator {

PublicPem::PublicPem(std::string path, bool wanted) : path_(std::move(path)), wanted_(wanted) { Remove(); }

// The key stands first: gRPC looks for it block by block, and would stumble over one of the chain that it cannot read.
absl::Status PublicPem::Show(const ServerCertificate& certificate) const {
  if (!wanted_) return absl::OkStatus();
  return WritePrivateFile(path_, absl::StrCat(certificate.private_key_pem, "\n", certificate.chain_pem));
}

void PublicPem::Renew(const std::optional<ServerCertificate>& renewed) {
  if (renewed) unshown_ = renewed;
  if (!unshown_) return;
  if (const absl::Status shown = Show(*unshown_); shown.ok()) {
    unshown_.reset();
  } else if (renewed) {  // said once for each renewal
    LogWarn("the public gRPC address still shows the certificate before, and is tried again: {}", Describe(shown));
  }
}

void PublicPem::Remove() const {
  const std::filesystem::path pem = path_;
  const std::string name = pem.filename().string();
  std::error_code ignored;  // most have no such file
  std::filesystem::directory_iterator entry(pem.parent_path(), ignored);
  for (; entry != std::filesystem::directory_iterator(); entry.increment(ignored)) {
    const std::filesystem::path file = entry->path().filename();
    const bool temporary = file.string().starts_with(name + ".") && file.extension() == ".tmp";
    std::error_code kept;  // of its own: the loop goes by the other
    if (temporary || file == name) std::filesystem::remove(entry->path(), kept);
  }
}

}  // namespace enigma::coordinator
