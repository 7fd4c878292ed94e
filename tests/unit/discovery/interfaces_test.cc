#include "discovery/interfaces.h"

#include <algorithm>
#include <string>

#include <gtest/gtest.h>

namespace enigma {
namespace {

NetworkInterface Interface(const std::string& name, bool multicast = true,
                           const std::string& broadcast = "10.0.0.255") {
  NetworkInterface one;
  one.name = name;
  one.index = 2;
  one.multicast = multicast;
  one.addresses = {{false, "10.0.0.1", broadcast}};
  return one;
}

TEST(Interfaces, WhichAreUsed) {
  NetworkInterface bare = Interface("eth1");
  bare.addresses.clear();
  NetworkInterface loopback = Interface("lo", false, "127.255.255.255");
  loopback.loopback = true;
  const struct {
    NetworkInterface interface;
    bool up;
    InterfaceRules rules;
    bool used;
  } cases[] = {
      {Interface("eth0"), true, {}, true},
      {Interface("enp3s0"), true, {}, true},
      {Interface("wlan0"), true, {}, true},
      {Interface("br0"), true, {}, true},
      {loopback, true, {}, true},
      {Interface("eth0"), false, {}, false},
      {bare, true, {}, false},
      {Interface("docker0"), true, {}, false},
      {Interface("veth12ab"), true, {}, false},
      {Interface("br-0a1b2c3d4e5f"), true, {}, false},
      {Interface("virbr0"), true, {}, false},
      {Interface("cni0"), true, {}, false},
      {Interface("flannel.1"), true, {}, false},
      {Interface("docker0"), true, {{"docker0"}, false}, true},
      {Interface("docker0"), true, {{}, true}, true},
      {Interface("eth0"), true, {{"eth1"}, false}, false},
      {Interface("tun0", false, ""), true, {}, false},
      {Interface("tun0", true, ""), true, {}, true},
  };
  for (const auto& one : cases) {
    const std::string reason = ReasonToSkip(one.interface, one.up, one.rules);
    EXPECT_EQ(reason.empty(), one.used) << one.interface.name << ": " << reason;
  }
}

TEST(Interfaces, ThisMachineHasALoopback) {
  const auto listed = ListInterfaces({});
  ASSERT_TRUE(listed.ok()) << listed.status();
  const auto loopback =
      std::find_if(listed->begin(), listed->end(), [](const NetworkInterface& one) { return one.loopback; });
  ASSERT_NE(loopback, listed->end());
  EXPECT_GT(loopback->index, 0);
  const auto addresses = ReachableAddresses({});
  ASSERT_TRUE(addresses.ok());
  EXPECT_FALSE(addresses->empty());
}

}  // namespace
}  // namespace enigma
