#pragma once

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <utility>

#include <gtest/gtest.h>

#include "rpc/certificate_authority.h"
#include "rpc/digest.h"

namespace enigma {

// A cluster's CA in a folder that goes away with the test.
class TestCluster {
 public:
  TestCluster() {
    std::string name = (std::filesystem::temp_directory_path() / "enigma_discovery_XXXXXX").string();
    EXPECT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
    auto ca = CertificateAuthority::LoadOrCreate(folder_);
    EXPECT_TRUE(ca.ok()) << ca.status();
    ca_ = *std::move(ca);
  }
  TestCluster(const TestCluster&) = delete;
  TestCluster& operator=(const TestCluster&) = delete;
  ~TestCluster() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  [[nodiscard]] const CertificateAuthority& ca() const { return *ca_; }
  [[nodiscard]] NodeIdentity Issue(const std::string& node_id, Role role) const {
    auto identity = ca_->Issue(node_id, role);
    EXPECT_TRUE(identity.ok()) << identity.status();
    return *std::move(identity);
  }

 private:
  std::string folder_;
  std::unique_ptr<CertificateAuthority> ca_;
};

}  // namespace enigma
