#include "rpc/endpoint.h"

#include <string>

#include <gtest/gtest.h>

#include "rpc/clock_skew.h"
#include "rpc/status_conversion.h"

namespace enigma {
namespace {

TEST(Endpoint, Readings) {
  const struct {
    const char* text;
    Endpoint expected;
  } cases[] = {
      {"host", {"host", 7}},
      {"host:1", {"host", 1}},
      {"1.2.3.4:65535", {"1.2.3.4", 65535}},
      {"[::1]:9", {"::1", 9}},
      {"[::1]", {"::1", 7}},
      {"fe80::1%eth0", {"fe80::1%eth0", 7}},
      {"[fe80::1%eth0]:0", {"fe80::1%eth0", 0}},
  };
  for (const auto& one : cases) {
    const auto read = ParseEndpoint(one.text, 7);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_EQ(*read, one.expected) << one.text;
    EXPECT_EQ(*ParseEndpoint(read->ToText(), 1), one.expected);
  }
  for (const char* text : {"", ":1", "host:", "host:x", "host:65536", "host:-1", "[::1", "[::1]9", "[::1]:", "[]:1"}) {
    EXPECT_FALSE(ParseEndpoint(text, 7).ok()) << text;
  }
}

TEST(ClockSkew, Sentences) {
  const absl::Time now = absl::FromUnixSeconds(1'800'000'000);
  EXPECT_EQ(DescribeClockSkew(now, now + absl::Seconds(2)), "");
  EXPECT_EQ(DescribeClockSkew(now + absl::Seconds(125), now),
            "this machine's clock is 2m5s ahead of the coordinator's");
  EXPECT_EQ(DescribeClockSkew(now, now + absl::Hours(30)), "this machine's clock is 30h behind the coordinator's");
}

TEST(StatusConversion, CodesAndMessagesSurviveBothWays) {
  for (int code = 0; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), code == 0 ? "" : "what is wrong");
    EXPECT_EQ(FromGrpc(ToGrpc(status)), status) << code;
    EXPECT_EQ(ToGrpc(status).error_code(), code);
  }
}

}  // namespace
}  // namespace enigma
