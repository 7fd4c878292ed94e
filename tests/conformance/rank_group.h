#pragma once

#include <cstdint>
#include <memory>
#include <ostream>
#include <string>

#include "engine/collective/communicator.h"

namespace enigma::testing {

// Ranks in this process, each used by a thread of its own, over one kind of communicator.
class RankGroup {
 public:
  virtual ~RankGroup() = default;
  // Once for each rank, on its thread; may wait for the others.
  virtual std::unique_ptr<engine::Communicator> Join(uint32_t rank) = 0;
  // From one moment to the next nothing is heard of this rank any more but that its connections break.
  virtual void Kill(uint32_t rank) = 0;
};

struct RankGroupKind {
  std::string name;
  std::unique_ptr<RankGroup> (*make)(uint32_t ranks);
};
inline std::ostream& operator<<(std::ostream& out, const RankGroupKind& kind) { return out << kind.name; }

// Rings of threads. `late`: every message is held up for a random time.
std::unique_ptr<RankGroup> MakeInProcessGroup(uint32_t ranks);
std::unique_ptr<RankGroup> MakeLateInProcessGroup(uint32_t ranks);
// Rings over the workers' streams, with mutual TLS on loopback.
std::unique_ptr<RankGroup> MakeStreamGroup(uint32_t ranks);
// Gloo on loopback, with those streams as its links.
std::unique_ptr<RankGroup> MakeGlooGroup(uint32_t ranks);

}  // namespace enigma::testing
