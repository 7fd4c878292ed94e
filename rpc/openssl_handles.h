#pragma once

#include <memory>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

// Owners for OpenSSL's objects. Internal to rpc and discovery.
namespace enigma {

template <auto Free>
struct OpenSslDeleter {
  template <typename T>
  void operator()(T* object) const {
    Free(object);
  }
};

using PkeyPtr = std::unique_ptr<EVP_PKEY, OpenSslDeleter<EVP_PKEY_free>>;
using DigestContextPtr = std::unique_ptr<EVP_MD_CTX, OpenSslDeleter<EVP_MD_CTX_free>>;
using X509Ptr = std::unique_ptr<X509, OpenSslDeleter<X509_free>>;
using X509RequestPtr = std::unique_ptr<X509_REQ, OpenSslDeleter<X509_REQ_free>>;
using BioPtr = std::unique_ptr<BIO, OpenSslDeleter<BIO_free_all>>;
using SslContextPtr = std::unique_ptr<SSL_CTX, OpenSslDeleter<SSL_CTX_free>>;
using SslPtr = std::unique_ptr<SSL, OpenSslDeleter<SSL_free>>;

// INTERNAL with `what` and OpenSSL's own explanation; empties OpenSSL's error queue.
absl::Status OpenSslError(std::string_view what);

// A BIO that reads `text`, which must outlive it.
BioPtr ReadBio(std::string_view text);
// What was written into a memory BIO.
std::string Contents(BIO* bio);

}  // namespace enigma
