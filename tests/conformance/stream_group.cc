#include <gtest/gtest.h>

#include "engine/collective/ring_communicator.h"
#include "tests/conformance/rank_group.h"
#include "tests/support/rank_nodes.h"

namespace enigma::testing {
namespace {

class StreamGroup final : public RankGroup {
 public:
  explicit StreamGroup(uint32_t ranks) : nodes_(ranks) {}

  std::unique_ptr<engine::Communicator> Join(uint32_t rank) override {
    // That silence is a loss is a matter of the links' own tests; here a machine that is too busy is not to be one.
    worker::StreamLinksOptions options = nodes_.Options(rank, 1, 1);
    options.silence = absl::Seconds(20);
    options.open_timeout = absl::Seconds(30);
    auto links = nodes_.Open(options);
    EXPECT_TRUE(links.ok()) << "rank " << rank << ": " << links.status();
    return links.ok() ? engine::MakeRingCommunicator(*std::move(links)) : nullptr;
  }
  void Kill(uint32_t rank) override { nodes_.Break(rank); }

 private:
  RankNodes nodes_;
};

}  // namespace

std::unique_ptr<RankGroup> MakeStreamGroup(uint32_t ranks) { return std::make_unique<StreamGroup>(ranks); }

}  // namespace enigma::testing
