#include "rpc/openssl_handles.h"

#include <absl/strings/str_cat.h>
#include <openssl/err.h>

#include "base/text.h"

namespace enigma {

absl::Status OpenSslError(std::string_view what) {
  std::string reason;
  while (const unsigned long code = ERR_get_error()) {
    const char* text = ERR_reason_error_string(code);
    if (!reason.empty()) reason += "; ";
    reason += text != nullptr ? text : "unknown error";
  }
  if (reason.empty()) reason = "OpenSSL gives no reason";
  return absl::InternalError(absl::StrCat(ToAbsl(what), ": ", reason));
}

BioPtr ReadBio(std::string_view text) { return BioPtr(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

std::string Contents(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return size > 0 ? std::string(data, static_cast<size_t>(size)) : std::string();
}

}  // namespace enigma
