#include "tests/support/network.h"

#include <unistd.h>

#include "base/counter_random.h"
#include "tests/support/process.h"

namespace enigma::testing {
namespace {

bool Shell(const std::string& command, std::string* error = nullptr) {
  const RunResult result = RunCommand({"sh", "-c", command}, std::chrono::seconds(20));
  if (result.status != 0 && error != nullptr) *error = command + ": " + result.err;
  return result.status == 0;
}

}  // namespace

std::unique_ptr<BridgedHosts> BridgedHosts::Create(int hosts, std::string* why) {
  if (geteuid() != 0) {
    *why = "network namespaces need root here";
    return nullptr;
  }
  auto network = std::unique_ptr<BridgedHosts>(new BridgedHosts);
  const uint64_t random = SystemRandom64();
  const std::string tag = std::to_string(random % 100000);
  network->bridge_ = "enbr" + tag;
  network->prefix_ = "enh" + tag;
  network->subnet_ = static_cast<int>(random / 100000 % 200);
  if (!Shell("ip link add " + network->bridge_ + " type bridge && ip link set " + network->bridge_ + " up", why)) {
    return nullptr;
  }
  for (int i = 0; i < hosts; ++i) {
    network->hosts_ = i + 1;
    const std::string ns = network->Name(i);
    const std::string veth = network->Veth(i);
    const std::string subnet = "10.77." + std::to_string(network->subnet_) + ".";
    if (!Shell("ip netns add " + ns + " && ip link add " + veth + " type veth peer name eth0 netns " + ns +
                   " && ip link set " + veth + " master " + network->bridge_ + " && ip link set " + veth +
                   " up && ip -n " + ns + " addr add " + network->Address(i) + "/24 brd " + subnet +
                   "255 dev eth0 && ip -n " + ns + " link set eth0 up && ip -n " + ns + " link set lo up",
               why)) {
      return nullptr;
    }
  }
  return network;
}

BridgedHosts::~BridgedHosts() {
  for (int i = 0; i < hosts_; ++i) {
    Shell("ip link del " + Veth(i));
    Shell("ip netns del " + Name(i));
  }
  Shell("ip link del " + bridge_);
}

std::vector<std::string> BridgedHosts::On(int index, std::vector<std::string> command) const {
  std::vector<std::string> argv = {"ip", "netns", "exec", Name(index)};
  argv.insert(argv.end(), command.begin(), command.end());
  return argv;
}

std::string BridgedHosts::Address(int index) const {
  return "10.77." + std::to_string(subnet_) + "." + std::to_string(index + 1);
}

bool BridgedHosts::Isolate(int index) { return Shell("ip link set " + Veth(index) + " nomaster"); }
bool BridgedHosts::Rejoin(int index) { return Shell("ip link set " + Veth(index) + " master " + bridge_); }

bool BridgedHosts::CutBetween(int one, int other) {
  const auto drop = [this](int on, int from) {
    const std::string nft = "ip netns exec " + Name(on) + " nft ";
    return Shell(nft + "add table ip cut && " + nft +
                 "'add chain ip cut input { type filter hook input priority 0; }' && " + nft +
                 "add rule ip cut input ip saddr " + Address(from) + " drop");
  };
  return drop(one, other) && drop(other, one);
}

bool BridgedHosts::ShapeRate(int index, int mbit) {
  const std::string tbf = " root tbf rate " + std::to_string(mbit) + "mbit burst 256kb latency 50ms";
  return Shell("tc qdisc replace dev " + Veth(index) + tbf) &&
         Shell("tc -n " + Name(index) + " qdisc replace dev eth0" + tbf);
}

std::string BridgedHosts::Name(int index) const { return prefix_ + "n" + std::to_string(index); }
std::string BridgedHosts::Veth(int index) const { return prefix_ + "v" + std::to_string(index); }

}  // namespace enigma::testing
