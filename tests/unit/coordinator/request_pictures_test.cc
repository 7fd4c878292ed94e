// Pictures of a request on their way to rows.
#include "coordinator/gateway/request_pictures.h"

#include <array>
#include <memory>
#include <string>

#include <absl/strings/str_cat.h>
#include <absl/synchronization/notification.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/image/encode_png.h"
#include "rpc/channel.h"
#include "tests/unit/coordinator/fake_worker.h"

namespace enigma::coordinator::testing {
namespace {

using ::testing::HasSubstr;

class PictureRowsTest : public ::testing::Test {
 protected:
  PictureRowsTest() {
    model_.name = "eye";
    model_.hidden = 4096;
    model_.encoder.emplace().rows = 1024;  // 16 MiB of a picture
    const auto png = engine::EncodePng(engine::Image::Blank(8, 8));
    EXPECT_TRUE(png.ok());
    file_.assign(png->begin(), png->end());
  }
  std::shared_ptr<RequestPictures> Two() const { return RequestPictures::Make({file_, file_}); }

  Model model_;
  std::string file_;
};

TEST_F(PictureRowsTest, OfAllChoicesTheyHaveALimit) {
  Intake intake;
  EXPECT_TRUE(Two()->Admit(intake, model_, 2).ok());
  const absl::Status refused = Two()->Admit(intake, model_, 3);
  EXPECT_TRUE(absl::IsInvalidArgument(refused)) << refused;
  EXPECT_THAT(std::string(refused.message()), HasSubstr("100663296 bytes in 3 choices; at most 67108864"));
}

TEST_F(PictureRowsTest, TheyCountBesideWhatOtherRequestsHold) {
  Intake intake(uint64_t{100} << 20);
  const auto first = intake.Enter(1);
  const auto second = intake.Enter(1);
  auto pictures = Two();
  EXPECT_TRUE(pictures->Admit(intake, model_, 2).ok());
  EXPECT_TRUE(pictures->Admit(intake, model_, 2).ok()) << "counted once";
  const auto others = Two();
  EXPECT_TRUE(absl::IsResourceExhausted(others->Admit(intake, model_, 2)));
  EXPECT_TRUE(others->Admit(intake, model_, 1).ok()) << "half as much fits";
  pictures.reset();
  EXPECT_TRUE(others->Admit(intake, model_, 2).ok());
}

// Replicas 1 and 2 of "eye", whose encoders are on the nodes n1 and n2.
class PictureEncodersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    for (size_t i = 0; i < workers_.size(); ++i) {
      FakeWorker::Options options;
      options.node_id = absl::StrCat("n", i + 1);
      workers_[i] = std::make_unique<FakeWorker>(pipelines_, options);
    }
    AddTo(encoders_);
  }
  void AddTo(PictureEncoders& encoders) {
    auto model = std::make_shared<Model>();
    model->name = "eye";
    for (size_t i = 0; i < workers_.size(); ++i) {
      Replica replica;
      replica.id = i + 1;
      replica.model = model;
      replica.encoder.emplace().set_node_id(absl::StrCat("n", i + 1));
      encoders.Add(replica,
                   MakeChannel(absl::StrCat("127.0.0.1:", workers_[i]->port()), nullptr, ExpectedPeer::AnyNode()));
    }
  }
  absl::Status Encode() { return EncodeBy(encoders_); }
  static absl::Status EncodeBy(PictureEncoders& encoders) {
    absl::Status status;
    absl::Notification done;
    encoders.Encode("eye", std::make_shared<const std::string>("a picture"), [&](const auto& rows) {
      status = rows.status();
      done.Notify();
    });
    done.WaitForNotification();
    return status;
  }
  // How often each was asked.
  std::array<int, 2> Asked() const { return {workers_[0]->encode_calls(), workers_[1]->encode_calls()}; }

  FakePipelines pipelines_;
  std::array<std::unique_ptr<FakeWorker>, 2> workers_;
  PictureEncoders encoders_;
};

using PicturesAsked = std::array<int, 2>;

TEST_F(PictureEncodersTest, OneThatIsStalledOrRetiresGivesWay) {
  EXPECT_TRUE(Encode().ok());
  EXPECT_EQ(Asked(), (PicturesAsked{1, 0}));
  encoders_.SetStalled(1, true);
  EXPECT_TRUE(Encode().ok());
  EXPECT_EQ(Asked(), (PicturesAsked{1, 1}));
  encoders_.SetRetiring(2, true);
  EXPECT_TRUE(Encode().ok());
  EXPECT_EQ(Asked(), (PicturesAsked{2, 1})) << "where no other stands, it still encodes";
  encoders_.SetRetiring(2, false);
  EXPECT_TRUE(Encode().ok());
  EXPECT_EQ(Asked(), (PicturesAsked{2, 2}));
}

TEST_F(PictureEncodersTest, AnotherIsTriedWhereOneIsTooBusyOrTooSlow) {
  workers_[0]->RefusePictures(absl::ResourceExhaustedError("many pictures wait"));
  EXPECT_TRUE(Encode().ok());
  workers_[0]->RefusePictures(absl::DeadlineExceededError("late"));
  EXPECT_TRUE(Encode().ok());
  EXPECT_EQ(Asked(), (PicturesAsked{2, 2}));
  workers_[1]->RefusePictures(absl::DeadlineExceededError("late"));
  const absl::Status slow = Encode();
  EXPECT_TRUE(absl::IsUnavailable(slow)) << slow;
  EXPECT_THAT(std::string(slow.message()), HasSubstr("node n2, which encodes pictures for 'eye', is too slow: late"));
  workers_[1]->RefusePictures(absl::ResourceExhaustedError("many pictures wait"));
  const absl::Status busy = Encode();
  EXPECT_TRUE(absl::IsResourceExhausted(busy)) << busy;
  workers_[0]->RefusePictures(absl::InvalidArgumentError("no picture"));
  EXPECT_TRUE(absl::IsInvalidArgument(Encode())) << "no encoder mends that";
  EXPECT_EQ(Asked(), (PicturesAsked{5, 4}));
}

TEST_F(PictureEncodersTest, OneThatHangsLeavesAnotherItsTime) {
  PictureEncoders hurried(
      PictureEncoders::Options{.attempt_max = absl::Milliseconds(200), .call_max = absl::Minutes(1)});
  AddTo(hurried);
  workers_[0]->HoldPictures(true);
  const absl::Status encoded = EncodeBy(hurried);
  EXPECT_TRUE(encoded.ok()) << encoded;
  EXPECT_EQ(Asked()[1], 1);
}

TEST_F(PictureEncodersTest, APictureHasItsTimeHoweverManyHang) {
  PictureEncoders hurried(PictureEncoders::Options{.attempt_max = absl::Seconds(1), .call_max = absl::Seconds(1)});
  AddTo(hurried);
  for (const auto& worker : workers_) worker->HoldPictures(true);
  const absl::Status slow = EncodeBy(hurried);
  EXPECT_TRUE(absl::IsUnavailable(slow)) << slow;
  EXPECT_THAT(std::string(slow.message()), HasSubstr("node n1, which encodes pictures for 'eye', is too slow"));
  EXPECT_EQ(Asked()[1], 0) << "the time was over";
}

}  // namespace
}  // namespace enigma::coordinator::testing
