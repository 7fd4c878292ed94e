#include "engine/collective/gloo_communicator.h"

#include <filesystem>
#include <thread>

#include <absl/time/clock.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/collective/in_process_links.h"
#include "engine/collective/lost_rank.h"
#include "engine/collective/ring_message.h"

namespace enigma::engine {
namespace {

using ::testing::HasSubstr;

const GlooOptions kLoopback = {.hosts = {"127.0.0.1"}, .timeout = absl::Seconds(30)};
// Far from every timeout, on a machine that may be very busy.
constexpr absl::Duration kSoon = absl::Seconds(5);

// Links of one rank alone that say whom they do not hear.
class DeafLinks final : public PeerLinks {
 public:
  explicit DeafLinks(std::unique_ptr<PeerLinks> links) : links_(std::move(links)) {}
  uint32_t rank() const override { return links_->rank(); }
  uint32_t size() const override { return links_->size(); }
  absl::Status Send(uint32_t peer, std::vector<uint8_t> message) override {
    return links_->Send(peer, std::move(message));
  }
  absl::Status Receive(uint32_t peer, std::vector<uint8_t>* message) override { return links_->Receive(peer, message); }
  absl::Status AwaitFailure(absl::Duration timeout) override { return links_->AwaitFailure(timeout); }
  void Abort(const absl::Status& reason) override { links_->Abort(reason); }
  std::vector<uint32_t> Unheard() const override { return {1}; }

 private:
  const std::unique_ptr<PeerLinks> links_;
};

TEST(GlooCommunicator, TellsWhomItsLinksDoNotHear) {
  InProcessNetwork network(1);
  const auto gloo = MakeGlooCommunicator(std::make_unique<DeafLinks>(network.Join(0)), kLoopback);
  EXPECT_EQ(gloo->Unheard(), std::vector<uint32_t>{1});
}

// Rank 1 of 2, which connects, and says that it is in a sum of so many values, of which it then moves nothing.
class StuckPeer {
 public:
  StuckPeer(std::unique_ptr<PeerLinks> links, uint64_t values) : links_(std::move(links)), mesh_(1, 2, kLoopback) {
    auto addresses = mesh_.Listen();
    EXPECT_TRUE(addresses.ok()) << addresses.status();
    EXPECT_TRUE(links_->Send(0, (*addresses)[0]).ok());
    std::vector<std::vector<uint8_t>> theirs(2);
    EXPECT_TRUE(links_->Receive(0, theirs.data()).ok());
    EXPECT_TRUE(mesh_.Connect(theirs).ok());
    std::vector<uint8_t> header(kRingHeaderBytes);
    EncodeRingHeader({.call = {.kind = RingKind::kSum, .count = values}}, header);
    EXPECT_TRUE(links_->Send(0, header).ok());
    std::vector<uint8_t> heard;
    EXPECT_TRUE(links_->Receive(0, &heard).ok());
    EXPECT_EQ(heard, header);
  }

 private:
  const std::unique_ptr<PeerLinks> links_;
  GlooMesh mesh_;
};

TEST(GlooCommunicator, AbortEndsASumThatWaitsForData) {
  InProcessNetwork network(2);
  const auto gloo = MakeGlooCommunicator(network.Join(0), kLoopback);
  std::vector<int64_t> values(300'000, 1);
  ASSERT_TRUE(gloo->StartSum(values).ok());
  const StuckPeer peer(network.Join(1), values.size());
  absl::SleepFor(absl::Milliseconds(50));
  const absl::Time start = absl::Now();
  std::thread other([&] { gloo->Abort(absl::AbortedError("halted by order")); });
  EXPECT_EQ(gloo->Wait(), absl::AbortedError("halted by order"));
  other.join();
  EXPECT_LT(absl::Now() - start, kSoon);
}

// Of the two the one with the lower address waits for the other to connect.
TEST(GlooCommunicator, AbortEndsTheWaitForAConnection) {
  InProcessNetwork network(2);
  auto gloo = MakeGlooCommunicator(network.Join(0), kLoopback);
  const auto peer = network.Join(1);
  std::vector<uint8_t> address;
  ASSERT_TRUE(peer->Receive(0, &address).ok());
  ASSERT_GE(address.size(), 4U);
  address[2] = address[3] = 0xFF;  // the port
  ASSERT_TRUE(peer->Send(0, address).ok());
  std::vector<int64_t> values(10, 1);
  ASSERT_TRUE(gloo->StartSum(values).ok());
  absl::SleepFor(absl::Milliseconds(50));
  const absl::Time start = absl::Now();
  gloo->Abort(absl::AbortedError("halted by order"));
  EXPECT_EQ(gloo->Wait(), absl::AbortedError("halted by order"));
  gloo.reset();
  EXPECT_LT(absl::Now() - start, kSoon) << "its thread went on waiting";
}

TEST(GlooCommunicator, ASumWaitsForDataNoLongerThanItsTimeout) {
  InProcessNetwork network(2);
  const auto gloo = MakeGlooCommunicator(network.Join(0), {.hosts = {"127.0.0.1"}, .timeout = absl::Milliseconds(200)});
  std::vector<int64_t> values(1000, 1);
  ASSERT_TRUE(gloo->StartSum(values).ok());
  const StuckPeer peer(network.Join(1), values.size());
  const absl::Time start = absl::Now();
  const absl::Status status = gloo->Wait();
  EXPECT_LT(absl::Now() - start, kSoon);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(status.message()), HasSubstr("rank 0: Gloo: Timed out"));
  EXPECT_EQ(gloo->StartSum(values), status);
}

// Gloo hears first that connections are gone, the links say whose.
TEST(GlooCommunicator, ALossIsWhatTheLinksSayOfIt) {
  InProcessNetwork network(2);
  const auto gloo = MakeGlooCommunicator(network.Join(0), kLoopback);
  std::vector<int64_t> values(1000, 1);
  ASSERT_TRUE(gloo->StartSum(values).ok());
  auto links = network.Join(1);
  std::thread killer;
  {
    const StuckPeer peer(std::move(links), values.size());
    killer = std::thread([&] {
      absl::SleepFor(absl::Milliseconds(200));
      network.Kill(1);
    });
  }  // its connections end
  const absl::Status status = gloo->Wait();
  killer.join();
  EXPECT_EQ(LostRank(status), 1U) << status;
}

TEST(GlooCommunicator, AHostThatIsNotThisMachineIsAnErrorOnEveryRank) {
  InProcessNetwork network(2);
  const auto wrong = MakeGlooCommunicator(network.Join(0), {.hosts = {"203.0.113.1"}});
  const auto right = MakeGlooCommunicator(network.Join(1), kLoopback);
  std::vector<int64_t> values(10, 1);
  for (Communicator* gloo : {wrong.get(), right.get()}) {
    absl::Status status = gloo->StartSum(values);
    if (status.ok()) status = gloo->Wait();
    EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
    EXPECT_THAT(std::string(status.message()), HasSubstr("rank 0: none of the addresses"));
    EXPECT_THAT(std::string(status.message()), HasSubstr("203.0.113.1"));
  }
}

TEST(GlooCommunicator, RefusesWhatIsNoAddressAndNoCall) {
  const std::vector<std::vector<uint8_t>> cases = {{}, {1, 2, 3}, std::vector<uint8_t>(136, 0xFF)};
  for (const auto& message : cases) {
    InProcessNetwork network(2);
    const auto gloo = MakeGlooCommunicator(network.Join(0), kLoopback);
    const auto peer = network.Join(1);
    ASSERT_TRUE(peer->Send(0, message).ok());
    ASSERT_TRUE(peer->Send(0, message).ok());
    std::vector<int64_t> values(10, 1);
    absl::Status status = gloo->StartSum(values);
    if (status.ok()) status = gloo->Wait();
    EXPECT_FALSE(status.ok()) << message.size() << " bytes";
  }
}

size_t EntriesOf(const char* directory) {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(directory), {}));
}

TEST(GlooCommunicator, AnEpochLeavesNoThreadAndNoSocketBehind) {
  size_t threads = 0;
  size_t files = 0;
  for (int epoch = 0; epoch < 12; ++epoch) {
    InProcessNetwork network(3);
    std::vector<std::unique_ptr<Communicator>> ranks;
    for (uint32_t rank = 0; rank < 3; ++rank) ranks.push_back(MakeGlooCommunicator(network.Join(rank), kLoopback));
    std::vector<std::vector<int64_t>> values(3, std::vector<int64_t>(5000, 7));
    for (uint32_t rank = 0; rank < 3; ++rank) ASSERT_TRUE(ranks[rank]->StartSum(values[rank]).ok());
    // Every other one ends as a broken one does.
    if (epoch % 2 == 1) ranks[epoch % 3]->Abort(absl::CancelledError("enough"));
    for (uint32_t rank = 0; rank < 3; ++rank) {
      const absl::Status status = ranks[rank]->Wait();
      if (epoch % 2 == 0) {
        ASSERT_TRUE(status.ok()) << status;
        EXPECT_EQ(values[rank], std::vector<int64_t>(5000, 21));
      }
    }
    ranks.clear();
    if (epoch == 1) {
      threads = EntriesOf("/proc/self/task");
      files = EntriesOf("/proc/self/fd");
    }
  }
  EXPECT_EQ(EntriesOf("/proc/self/task"), threads);
  EXPECT_EQ(EntriesOf("/proc/self/fd"), files);
}

}  // namespace
}  // namespace enigma::engine
