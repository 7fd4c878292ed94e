#include "engine/collective/local_address.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enigma::engine {
namespace {

using ::testing::HasSubstr;

TEST(LocalAddress, TakesTheFirstOneThatIsThisMachines) {
  EXPECT_EQ(*LocalAddress({"127.0.0.1"}), "127.0.0.1");
  EXPECT_EQ(*LocalAddress({"203.0.113.1", "127.0.0.2", "127.0.0.1"}), "127.0.0.2") << "TEST-NET-3 is nobody's";
  EXPECT_EQ(*LocalAddress({"no.such.host.invalid", "127.0.0.1"}), "127.0.0.1");
  EXPECT_THAT(*LocalAddress({"localhost"}), ::testing::AnyOf("127.0.0.1", "::1"));
}

TEST(LocalAddress, OfOthersIsAnErrorThatNamesThem) {
  using Hosts = std::vector<std::string>;
  for (const Hosts& hosts : {Hosts{}, Hosts{"203.0.113.1"}, Hosts{"203.0.113.1", "203.0.113.2", "203.0.113.3"}}) {
    const auto address = LocalAddress(hosts);
    EXPECT_EQ(address.status().code(), absl::StatusCode::kFailedPrecondition);
    for (const std::string& host : hosts) EXPECT_THAT(std::string(address.status().message()), HasSubstr(host));
  }
}

}  // namespace
}  // namespace enigma::engine
