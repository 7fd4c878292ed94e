#include "coordinator/jobs/picture_corpus.h"

#include <filesystem>
#include <fstream>
#include <limits>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "coordinator/jobs/job_preparation.h"
#include "tests/support/process.h"
#include "tests/unit/coordinator/bare_plane.h"

namespace enigma::coordinator {
namespace {

using ::testing::HasSubstr;

constexpr uint64_t kWholeDisk = std::numeric_limits<uint64_t>::max();

TEST(RoomForPicturesTest, MemoryAndDiskAreAskedBeforeAnythingIsMade) {
  PictureCorpus corpus;
  corpus.file.name = "in/captions.jsonl";
  corpus.pictures.resize(100);
  const std::string folder = ::testing::TempDir();
  EXPECT_TRUE(CheckRoomForPictures(corpus, 64, {.folder = folder}).ok());
  const absl::Status full = CheckRoomForPictures(corpus, 64, {.folder = folder, .left_min = kWholeDisk});
  EXPECT_TRUE(absl::IsResourceExhausted(full)) << full;
  EXPECT_THAT(ToString(full.message()), HasSubstr("in/captions.jsonl: 100 pictures of 64 x 64 pixels take 1 MiB, and "
                                                  "the coordinator's disk has "));
  corpus.pictures.resize(50'000);
  EXPECT_THAT(ToString(CheckRoomForPictures(corpus, 128, {.folder = folder}).message()),
              HasSubstr("50000 pictures of 128 x 128 pixels take 2343 MiB, and at most 2048 MiB"));
  EXPECT_FALSE(CheckRoomForPictures(corpus, 32, {.folder = folder + "/no such folder"}).ok());
}

class PictureJobTest : public BarePlaneTest {
 protected:
  enigma::testing::TemporaryDirectory folder_;
  JobFolders folders_{folder_.path() + "/jobs"};
};

TEST_F(PictureJobTest, AFullDiskEndsThePreparationBeforeATokenizerIsTrained) {
  ASSERT_TRUE(folders_.Create(1).ok());
  JobMaterial material;
  material.options.set_model("seer");
  material.options.set_task("vision");
  material.options.set_size("nano");
  material.options.set_steps(10);
  const std::string captions = folders_.IncomingPath(1) + "/0";
  std::ofstream(captions) << "{\"image\": \"a.png\", \"caption\": \"a red square\"}\n";
  material.data = {{"captions.jsonl", captions}};
  auto pictures = UploadedPictures::Create(folders_.IncomingPath(1) + "/pictures", {});
  ASSERT_TRUE(pictures.ok() && (*pictures)->Begin("a.png").ok() && (*pictures)->Finish().ok());
  material.pictures = *std::move(pictures);
  material.disk_left_min = kWholeDisk;
  const absl::Status refused =
      PrepareJob(plane_, folders_, 1, material, [](std::string_view, double) { return true; }).status();
  EXPECT_TRUE(absl::IsResourceExhausted(refused)) << refused;
  EXPECT_THAT(ToString(refused.message()), HasSubstr("the coordinator's disk has "));
  EXPECT_FALSE(std::filesystem::exists(folders_.TokenizerPath(1)));
}

}  // namespace
}  // namespace enigma::coordinator
