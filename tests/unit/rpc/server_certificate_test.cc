#include "rpc/server_certificate.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

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
