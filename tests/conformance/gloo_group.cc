#include <gtest/gtest.h>

#include "engine/collective/gloo_communicator.h"
#include "tests/conformance/rank_group.h"
#include "tests/support/rank_nodes.h"

namespace enigma::testing {
namespace {

class GlooGroup final : public RankGroup {
 public:
  explicit GlooGroup(uint32_t ranks) : nodes_(ranks) {}

  std::unique_ptr<engine::Communicator> Join(uint32_t rank) override {
    // As in StreamGroup, and for the same reason.
    worker::StreamLinksOptions options = nodes_.Options(rank, 1, 1);
    options.silence = absl::Seconds(20);
    options.open_timeout = absl::Seconds(30);
    auto links = nodes_.Open(options);
    EXPECT_TRUE(links.ok()) << "rank " << rank << ": " << links.status();
    if (!links.ok()) return nullptr;
    return engine::MakeGlooCommunicator(*std::move(links), {.hosts = {"127.0.0.1"}, .timeout = absl::Seconds(20)});
  }
  // The links alone; Gloo's own connections stay.
  void Kill(uint32_t rank) override { nodes_.Break(rank); }

 private:
  RankNodes nodes_;
};

}  // namespace

std::unique_ptr<RankGroup> MakeGlooGroup(uint32_t ranks) { return std::make_unique<GlooGroup>(ranks); }

}  // namespace enigma::testing
