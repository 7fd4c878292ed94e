#include <atomic>
#include <utility>

#include <absl/time/clock.h>

#include "base/counter_random.h"
#include "engine/collective/in_process_links.h"
#include "engine/collective/ring_communicator.h"
#include "tests/conformance/rank_group.h"

namespace enigma::testing {
namespace {

class InProcessGroup final : public RankGroup {
 public:
  InProcessGroup(uint32_t ranks, engine::InProcessNetwork::Options options) : network_(ranks, std::move(options)) {}

  std::unique_ptr<engine::Communicator> Join(uint32_t rank) override {
    return engine::MakeRingCommunicator(network_.Join(rank));
  }
  void Kill(uint32_t rank) override { network_.Kill(rank); }

 private:
  engine::InProcessNetwork network_;
};

}  // namespace

std::unique_ptr<RankGroup> MakeInProcessGroup(uint32_t ranks) {
  return std::make_unique<InProcessGroup>(ranks, engine::InProcessNetwork::Options{});
}

std::unique_ptr<RankGroup> MakeLateInProcessGroup(uint32_t ranks) {
  auto messages = std::make_shared<std::atomic<uint64_t>>(0);
  // A window of less than three chunks, so that senders wait for room, too.
  return std::make_unique<InProcessGroup>(
      ranks, engine::InProcessNetwork::Options{
                 .window_bytes = 600'000, .before_send = [messages](uint32_t from, uint32_t) {
                   const double random = CounterUniform(17, from, messages->fetch_add(1));
                   absl::SleepFor(random < 0.7 ? absl::ZeroDuration() : absl::Microseconds(2000 * (random - 0.7)));
                 }});
}

}  // namespace enigma::testing
