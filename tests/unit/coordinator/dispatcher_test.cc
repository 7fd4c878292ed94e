// Replicas that are taken out of service while they are idle, and put back; what waits for them.
#include "coordinator/scheduling/dispatcher.h"

#include <array>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include <absl/base/thread_annotations.h>
#include <absl/strings/str_cat.h>
#include <absl/synchronization/mutex.h>
#include <absl/synchronization/notification.h>
#include <gtest/gtest.h>

#include "coordinator/gateway/request_pictures.h"
#include "rpc/channel.h"
#include "tests/support/eventually.h"
#include "tests/unit/coordinator/fake_worker.h"

namespace enigma::coordinator::testing {
namespace {

class EndSink final : public TokenSink {
 public:
  void OnStart(const Replica&) override {}
  void OnTokens(std::span<const enigma::v1::TokenEvent* const>) override {}
  void OnEnd(const absl::Status& status) override {
    absl::MutexLock lock(&mutex_);
    end_ = status;
  }
  std::optional<absl::Status> end() {
    absl::MutexLock lock(&mutex_);
    return end_;
  }

 private:
  absl::Mutex mutex_;
  std::optional<absl::Status> end_ ABSL_GUARDED_BY(mutex_);
};

class RetiringTest : public ::testing::Test {
 protected:
  void SetUp() override {
    auto model = std::make_shared<Model>();
    model->name = "tale";
    Replica replica;
    replica.id = 1;
    replica.model = model;
    const auto channel = MakeChannel(absl::StrCat("127.0.0.1:", worker_.port()), nullptr, ExpectedPeer::AnyNode());
    replica.encoder.emplace().set_node_id("n0");
    ASSERT_TRUE(dispatcher_.AddReplica(replica, channel, channel).ok());
    dispatcher_.encoders().Add(replica, channel);
  }
  absl::Status Submit(const std::shared_ptr<EndSink>& sink, PictureRows rows = nullptr) {
    enigma::v1::OpenSequence open;
    open.add_prompt(1);
    open.mutable_sampling()->set_max_tokens(2);
    return dispatcher_.Submit("tale", enigma::v1::PRIORITY_NORMAL, std::move(open), sink, std::move(rows)).status();
  }

  static constexpr std::array<uint64_t, 1> kReplicas = {1};
  static constexpr size_t kRunningMax = 2;
  Metrics metrics_;
  FakePipelines pipelines_;
  FakeWorker worker_{pipelines_, FakeWorker::Options()};
  Dispatcher dispatcher_{Dispatcher::Options{.running_max = kRunningMax}, metrics_};
};

TEST_F(RetiringTest, OneThatStaysAfterAllTakesWorkAgain) {
  ASSERT_TRUE(dispatcher_.RetireIdle(kReplicas));
  const auto sink = std::make_shared<EndSink>();
  EXPECT_FALSE(Submit(sink).ok()) << "nobody takes it";
  dispatcher_.Unretire(kReplicas);
  ASSERT_TRUE(Submit(sink).ok());
  ASSERT_TRUE(enigma::testing::Eventually([&] { return sink->end().has_value(); }));
  EXPECT_TRUE(sink->end()->ok()) << *sink->end();
}

TEST_F(RetiringTest, OneWithWorkIsNotIdle) {
  pipelines_.SetManner(FakePipelines::Manner::kHold);
  const auto sink = std::make_shared<EndSink>();
  ASSERT_TRUE(Submit(sink).ok());
  EXPECT_FALSE(dispatcher_.RetireIdle(kReplicas));
  ASSERT_TRUE(Submit(std::make_shared<EndSink>()).ok()) << "it takes work as before";
}

TEST_F(RetiringTest, ARequestWhosePicturesAreEncodedIsWork) {
  worker_.HoldPictures(true);
  const auto pictures = RequestPictures::Make({"a picture"});
  const auto sink = std::make_shared<EndSink>();
  absl::Notification submitted;
  pictures->Encode(dispatcher_.encoders(), "tale", [&](const absl::StatusOr<PictureRows>& rows) {
    EXPECT_TRUE(rows.ok()) << rows.status();
    EXPECT_TRUE(Submit(sink, *rows).ok());
    submitted.Notify();
  });
  EXPECT_FALSE(dispatcher_.RetireIdle(kReplicas));
  EXPECT_FALSE(dispatcher_.Retire(kReplicas[0]));
  EXPECT_FALSE(Submit(std::make_shared<EndSink>()).ok()) << "nothing new comes";
  worker_.HoldPictures(false);
  submitted.WaitForNotification();
  ASSERT_TRUE(enigma::testing::Eventually([&] { return sink->end().has_value(); }));
  EXPECT_TRUE(sink->end()->ok()) << *sink->end();
  EXPECT_TRUE(enigma::testing::Eventually([&] { return dispatcher_.Retire(kReplicas[0]); }));
  EXPECT_FALSE(dispatcher_.Admits("tale", enigma::v1::PRIORITY_NORMAL).ok());
}

TEST_F(RetiringTest, RowsOfPicturesAreSharedUntilTheyAreSent) {
  pipelines_.SetManner(FakePipelines::Manner::kHold);
  const auto rows = std::make_shared<const std::vector<float>>(3, 0.5F);
  for (size_t i = 0; i < kRunningMax + 2; ++i) ASSERT_TRUE(Submit(std::make_shared<EndSink>(), rows).ok());
  EXPECT_EQ(rows.use_count(), 3) << "here, and in the two that wait";
  ASSERT_TRUE(enigma::testing::Eventually([&] { return pipelines_.opened().size() == kRunningMax; }));
  for (const auto& open : pipelines_.opened()) EXPECT_EQ(open.given_size(), 3);
  pipelines_.FinishHeld();
  ASSERT_TRUE(enigma::testing::Eventually([&] { return pipelines_.opened().size() == kRunningMax + 2; }));
  EXPECT_TRUE(enigma::testing::Eventually([&] { return rows.use_count() == 1; }));
}

}  // namespace
}  // namespace enigma::coordinator::testing
