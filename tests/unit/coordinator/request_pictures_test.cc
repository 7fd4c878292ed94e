// Pictures of a request on their way to rows.
#include "coordinator/gateway/request_pictures.h"

#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/image/encode_png.h"

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

}  // namespace
}  // namespace enigma::coordinator::testing
