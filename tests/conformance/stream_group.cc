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
    auto links = nodes_.Open(rank);
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
