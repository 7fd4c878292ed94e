#include "rpc/digest.h"

#include <absl/strings/escaping.h>
#include <openssl/sha.h>

#include "base/text.h"

namespace enigma {

std::string Sha256(std::string_view data) {
  std::string out(SHA256_DIGEST_LENGTH, '\0');
  SHA256(reinterpret_cast<const unsigned char*>(data.data()), data.size(),
         reinterpret_cast<unsigned char*>(out.data()));
  return out;
}

std::string ToHex(std::string_view bytes) { return absl::BytesToHexString(ToAbsl(bytes)); }

}  // namespace enigma
