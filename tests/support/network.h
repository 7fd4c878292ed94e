#pragma once

#include <memory>
#include <string>
#include <vector>

namespace enigma::testing {

// Hosts on one machine: network namespaces with a veth pair each on a bridge, 10.77.N.0/24. Needs root and iproute2.
class BridgedHosts {
 public:
  // Null, with the reason in `why`, where this machine or user may not make them.
  static std::unique_ptr<BridgedHosts> Create(int hosts, std::string* why);
  ~BridgedHosts();

  // argv that runs `command` on host `index`.
  std::vector<std::string> On(int index, std::vector<std::string> command) const;
  std::string Address(int index) const;
  // Cuts the host off (its packets vanish, no reset is sent), and joins it again.
  bool Isolate(int index);
  bool Rejoin(int index);
  // Drops what the two hosts send each other, and nothing else. False where nftables are missing.
  bool CutBetween(int one, int other);
  // Limits what the host can send, and what is sent to it, to `mbit` per second.
  bool ShapeRate(int index, int mbit);

 private:
  BridgedHosts() = default;
  std::string Name(int index) const;
  std::string Veth(int index) const;
  std::string bridge_;
  std::string prefix_;
  int subnet_ = 0;
  int hosts_ = 0;
};

}  // namespace enigma::testing
