#include "engine/corpus/picture_set.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "tests/support/process.h"

namespace enigma::engine {
namespace {

using ::testing::HasSubstr;

Image OneColour(uint32_t width, uint32_t height, uint8_t value) {
  Image image = Image::Blank(width, height);
  image.rgb.assign(image.rgb.size(), value);
  return image;
}

std::shared_ptr<const PictureSet> TwoPictures() {
  PictureSetBuilder builder(8);
  builder.Add(OneColour(8, 8, 10));
  builder.Add(OneColour(40, 20, 200));
  auto set = builder.Finish();
  EXPECT_TRUE(set.ok()) << set.status().ToString();
  return *std::move(set);
}

std::vector<uint8_t> PictureBytes(const PictureSet& set) { return {set.bytes().begin(), set.bytes().end()}; }

std::string Complaint(std::vector<uint8_t> bytes) {
  const auto set = PictureSet::FromBytes(std::move(bytes), "f");
  return set.ok() ? "" : ToString(set.status().message());
}

TEST(PictureSetTest, HoldsWhatWasAdded) {
  const auto set = TwoPictures();
  EXPECT_EQ(set->side(), 8U);
  ASSERT_EQ(set->pictures(), 2U);
  EXPECT_EQ(set->Picture(0).rgb, OneColour(8, 8, 10).rgb);
  const Image wide = set->Picture(1);
  EXPECT_EQ(wide.pixel(3, 0)[0], 128);  // beside it
  EXPECT_EQ(wide.pixel(3, 4)[0], 200);
}

TEST(PictureSetTest, IsTheSameFromAFile) {
  const auto set = TwoPictures();
  const ::enigma::testing::TemporaryDirectory folder;
  const std::string path = folder.path() + "/pictures";
  const std::vector<uint8_t> bytes = PictureBytes(*set);
  std::ofstream(path, std::ios::binary).write(reinterpret_cast<const char*>(bytes.data()), std::ssize(bytes));
  const auto opened = PictureSet::Open(path);
  ASSERT_TRUE(opened.ok()) << opened.status().ToString();
  EXPECT_EQ(PictureBytes(**opened), bytes);
  EXPECT_EQ((*opened)->hash(), set->hash());
  EXPECT_EQ((*opened)->Picture(1).rgb, set->Picture(1).rgb);
  EXPECT_EQ(PictureSet::Open(folder.path() + "/none").status().code(), absl::StatusCode::kNotFound);
}

TEST(PictureSetTest, DamageIsNoticed) {
  const std::vector<uint8_t> bytes = PictureBytes(*TwoPictures());
  EXPECT_EQ(Complaint(bytes), "");
  EXPECT_THAT(Complaint({}), HasSubstr("f: it is no set of pictures"));
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_NE(Complaint({bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)}), "") << size;
  }
  for (size_t at = 0; at < bytes.size(); at += at < 64 ? 1 : 7) {
    std::vector<uint8_t> changed = bytes;
    changed[at] ^= 1;
    EXPECT_NE(Complaint(changed), "") << at;
  }
  // Whose content was right once may have it anew; what is no such file stays none.
  std::vector<uint8_t> rotten = bytes;
  rotten.back() ^= 1;
  EXPECT_TRUE(absl::IsDataLoss(PictureSet::FromBytes(rotten, "f").status()));
  EXPECT_TRUE(absl::IsInvalidArgument(PictureSet::FromBytes({}, "f").status()));
  std::vector<uint8_t> many = bytes;
  std::fill_n(many.begin() + 16, 8, uint8_t{0xFF});
  EXPECT_THAT(Complaint(many), HasSubstr("384 bytes do not hold 18446744073709551615 pictures"));
}

TEST(PictureSetTest, APictureIsAddedAgainWithoutItsPixels) {
  PictureSetBuilder builder(8);
  ASSERT_TRUE(builder.Reserve(3).ok());
  builder.Add(OneColour(8, 8, 10));
  builder.Add(OneColour(8, 8, 20));
  builder.Repeat(0);
  EXPECT_EQ(builder.pictures(), 3U);
  const auto set = builder.Finish();
  ASSERT_TRUE(set.ok()) << set.status().ToString();
  EXPECT_EQ((*set)->Picture(2).rgb, OneColour(8, 8, 10).rgb);
  EXPECT_EQ((*set)->Picture(1).rgb, OneColour(8, 8, 20).rgb);
  EXPECT_TRUE(absl::IsResourceExhausted(builder.Reserve(uint64_t{1} << 56)));
}

TEST(PictureSetTest, NoPicturesAreASetToo) {
  PictureSetBuilder builder(4);
  const auto set = builder.Finish();
  ASSERT_TRUE(set.ok()) << set.status().ToString();
  EXPECT_EQ((*set)->pictures(), 0U);
}

}  // namespace
}  // namespace enigma::engine
