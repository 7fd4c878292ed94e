#include "rpc/server_certificate.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>

#include "base/text.h"
#include "rpc/certificate_authority.h"
#include "tests/unit/rpc/scratch_folder.h"
#include "tests/unit/rpc/test_clock.h"

namespace enigma {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class ServerCertificateTest : public ::testing::Test {
 protected:
  ServerCertificate Issue(const Clock& clock = Clock::System()) {
    const auto ca = CertificateAuthority::LoadOrCreate(folder_ / ("ca" + std::to_string(issued_++)), clock);
    EXPECT_TRUE(ca.ok()) << ca.status();
    const auto certificate = (*ca)->IssueForServer({"localhost", "10.0.0.1", "[2001:db8::1]", "my_host"});
    EXPECT_TRUE(certificate.ok()) << certificate.status();
    return *certificate;
  }
  // Good in all but the size of its key, which OpenSSL takes at security level 0 alone.
  static ServerCertificate WithSmallKey() {
    const PkeyPtr key(EVP_RSA_gen(768));
    const X509Ptr certificate(X509_new());
    X509_set_version(certificate.get(), X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(certificate.get()), 1);
    X509_gmtime_adj(X509_getm_notBefore(certificate.get()), -3600);
    X509_gmtime_adj(X509_getm_notAfter(certificate.get()), 3600);
    X509_set_pubkey(certificate.get(), key.get());
    EXPECT_NE(X509_sign(certificate.get(), key.get(), EVP_sha256()), 0);
    const BioPtr bio(BIO_new(BIO_s_mem()));
    EXPECT_EQ(PEM_write_bio_PKCS8PrivateKey(bio.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr), 1);
    return {CertificatePem(*certificate), Contents(bio.get())};
  }
  void Write(const std::string& path, const std::string& text) { std::ofstream(path) << text; }
  std::string Wrong() {
    ServerCertificateFiles files(chain_, key_);
    return ToString(files.Read(absl::Now()).status().message());
  }

  const ScratchFolder folder_;
  const std::string chain_ = folder_ / "chain.pem";
  const std::string key_ = folder_ / "key.pem";
  int issued_ = 0;
};

TEST_F(ServerCertificateTest, AnErrorNamesTheFileAndWhatIsWrongWithIt) {
  EXPECT_THAT(Wrong(), AllOf(HasSubstr(chain_), HasSubstr("No such file")));
  const ServerCertificate good = Issue();
  Write(chain_, good.chain_pem);
  EXPECT_THAT(Wrong(), AllOf(HasSubstr(key_), HasSubstr("No such file")));
  Write(key_, good.private_key_pem);
  EXPECT_EQ(Wrong(), "");

  Write(key_, Issue().private_key_pem);
  EXPECT_THAT(Wrong(), AllOf(HasSubstr(key_), HasSubstr("does not belong to the certificate in " + chain_)));
  Write(key_, "-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIB\n-----END ENCRYPTED PRIVATE KEY-----\n");
  EXPECT_THAT(Wrong(), AllOf(HasSubstr(key_), HasSubstr("pass phrase")));
  Write(key_, good.chain_pem);
  EXPECT_THAT(Wrong(), AllOf(HasSubstr(key_), HasSubstr("no PEM private key")));
  Write(key_, good.private_key_pem);
  Write(chain_, good.private_key_pem);
  EXPECT_THAT(Wrong(), AllOf(HasSubstr(chain_), HasSubstr("no PEM certificate")));
  Write(chain_, std::string(2 << 20, 'x'));
  EXPECT_THAT(Wrong(), AllOf(HasSubstr(chain_), HasSubstr("larger than 1 MiB")));

  const ServerCertificate old = Issue(SkewedClock(-absl::Hours(24 * 366 * 20)));
  Write(chain_, old.chain_pem);
  Write(key_, old.private_key_pem);
  EXPECT_THAT(Wrong(), AllOf(HasSubstr(chain_), HasSubstr("expired at")));
  const ServerCertificate early = Issue(SkewedClock(absl::Hours(24 * 366)));
  Write(chain_, early.chain_pem);
  Write(key_, early.private_key_pem);
  EXPECT_THAT(Wrong(), AllOf(HasSubstr(chain_), HasSubstr("not valid before")));
  std::filesystem::remove(chain_);
  std::filesystem::create_directory(chain_);
  EXPECT_THAT(Wrong(), AllOf(HasSubstr(chain_), HasSubstr("a folder")));
}

TEST_F(ServerCertificateTest, WhatTlsWouldRefuseIsRefused) {
  const ServerCertificate good = Issue();
  Write(key_, good.private_key_pem);
  Write(chain_, good.chain_pem.substr(0, good.chain_pem.size() - 40));
  EXPECT_THAT(Wrong(), AllOf(HasSubstr(chain_), HasSubstr("certificate 2 in it cannot be read")));
  Write(chain_, good.chain_pem + "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n");
  EXPECT_THAT(Wrong(), AllOf(HasSubstr(chain_), HasSubstr("certificate 3 in it cannot be read")));
  Write(chain_, good.chain_pem + "\nno block at all\n");
  EXPECT_EQ(Wrong(), "");

  const ServerCertificate small = WithSmallKey();
  Write(key_, small.private_key_pem);
  Write(chain_, small.chain_pem);
  EXPECT_THAT(Wrong(), AllOf(HasSubstr(chain_), HasSubstr("TLS refuses certificate 1"), HasSubstr("too small")));
  Write(key_, good.private_key_pem);
  Write(chain_, good.chain_pem + small.chain_pem);
  EXPECT_THAT(Wrong(), AllOf(HasSubstr(chain_), HasSubstr("TLS refuses certificate 3"), HasSubstr("too small")));
}

TEST_F(ServerCertificateTest, OneFileMayHoldBoth) {
  const ServerCertificate good = Issue();
  const ServerCertificate other = Issue();
  Write(chain_, "of: me\n" + good.chain_pem + good.private_key_pem + other.private_key_pem);
  ServerCertificateFiles files(chain_, chain_);
  const auto read = files.Read(absl::Now());
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->chain_pem, good.chain_pem);
  EXPECT_EQ(read->private_key_pem, good.private_key_pem);
}

TEST_F(ServerCertificateTest, ItIsNoNodesCertificate) {
  const auto leaf = ParseCertificatePem(Issue().chain_pem);
  ASSERT_TRUE(leaf.ok());
  EXPECT_FALSE(ReadNodeCertificate(**leaf).ok());
}

TEST_F(ServerCertificateTest, ChangedFilesAreTakenOverOnceTheyAreRight) {
  const ServerCertificate before = Issue();
  const ServerCertificate after = Issue();
  Write(chain_, before.chain_pem);
  Write(key_, before.private_key_pem);
  ServerCertificateFiles files(chain_, key_);
  ASSERT_TRUE(files.Read(absl::Now()).ok());
  EXPECT_FALSE(files.Renewed(absl::Now()));
  const auto touch = [](const std::string& path, int seconds) {
    std::filesystem::last_write_time(path,
                                     std::filesystem::file_time_type::clock::now() + std::chrono::seconds(seconds));
  };
  // Halfway: the certificate is there, its key is not.
  Write(chain_, after.chain_pem);
  touch(chain_, 10);
  EXPECT_FALSE(files.Renewed(absl::Now()));
  Write(key_, after.private_key_pem);
  touch(key_, 20);
  const auto renewed = files.Renewed(absl::Now());
  ASSERT_TRUE(renewed);
  EXPECT_EQ(renewed->private_key_pem, after.private_key_pem);
  EXPECT_FALSE(files.Renewed(absl::Now()));
}

}  // namespace
}  // namespace enigma
