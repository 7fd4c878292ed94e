#include "engine/vision/image_rows.h"

#include <numeric>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enigma::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::ElementsAreArray;

TEST(ImageRowsTest, ChannelsOfAPixelStandTogether) {
  const float planes[] = {1, 2, 3, 4, 5, 6};
  std::vector<float> rows(6);
  InterleaveChannels(planes, 2, rows.data());
  EXPECT_THAT(rows, ElementsAre(1, 3, 5, 2, 4, 6));
}

TEST(ImageRowsTest, SurroundingsAreZeroBeyondTheEdge) {
  std::vector<float> picture(16);
  std::iota(picture.begin(), picture.end(), 1.0F);
  std::vector<float> rows(4 * 9, -1.0F);
  GatherSurroundings(picture.data(), 4, 1, rows.data());
  const auto row = [&](size_t i) { return std::vector<float>(rows.begin() + 9 * i, rows.begin() + 9 * i + 9); };
  EXPECT_THAT(row(0), ElementsAre(0, 0, 0, 0, 1, 2, 0, 5, 6));
  EXPECT_THAT(row(1), ElementsAre(0, 0, 0, 2, 3, 4, 6, 7, 8));
  EXPECT_THAT(row(2), ElementsAre(0, 5, 6, 0, 9, 10, 0, 13, 14));
  EXPECT_THAT(row(3), ElementsAre(6, 7, 8, 10, 11, 12, 14, 15, 16));
}

TEST(ImageRowsTest, SquaresAreTakenInOrder) {
  std::vector<float> picture(4 * 4 * 2);
  std::iota(picture.begin(), picture.end(), 0.0F);
  std::vector<float> rows(picture.size());
  GatherSquares(picture.data(), 4, 2, 2, rows.data());
  EXPECT_THAT(std::vector<float>(rows.begin(), rows.begin() + 16),
              ElementsAreArray({0, 1, 2, 3, 8, 9, 10, 11, 4, 5, 6, 7, 12, 13, 14, 15}));
  std::vector<float> same(picture.size());
  GatherSquares(picture.data(), 4, 1, 2, same.data());
  EXPECT_EQ(same, picture);
}

TEST(ImageRowsTest, SquaresGoBackWhereTheyWere) {
  std::vector<float> picture(36 * 3), rows(picture.size()), back(picture.size());
  std::iota(picture.begin(), picture.end(), 0.0F);
  GatherSquares(picture.data(), 6, 3, 3, rows.data());
  ScatterSquares(rows.data(), 6, 3, 3, back.data());
  EXPECT_EQ(back, picture);
}

// <gathered, rows> = <picture, scattered> for all of them: the one is the other's transpose.
TEST(ImageRowsTest, ScatteringSurroundingsIsTheTransposeOfGathering) {
  constexpr size_t kSide = 6, kChannels = 2, kGathered = 9 * 9 * kChannels;
  for (size_t i = 0; i < kSide * kSide * kChannels; ++i) {
    std::vector<float> picture(kSide * kSide * kChannels), gathered(kGathered);
    picture[i] = 1.0F;
    GatherSurroundings(picture.data(), kSide, kChannels, gathered.data());
    for (size_t j = 0; j < kGathered; ++j) {
      std::vector<float> rows(kGathered), scattered(picture.size(), 5.0F);
      rows[j] = 1.0F;
      ScatterSurroundings(rows.data(), kSide, kChannels, scattered.data());
      ASSERT_EQ(gathered[j], scattered[i]) << i << " " << j;
    }
  }
}

}  // namespace
}  // namespace enigma::engine
