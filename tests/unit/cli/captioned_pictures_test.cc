#include "cli/input/captioned_pictures.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "tests/support/process.h"

namespace enigma::cli {
namespace {

using ::testing::HasSubstr;

class CaptionedPicturesTest : public ::testing::Test {
 protected:
  CaptionedPicturesTest() { std::filesystem::create_directories(At("images")); }
  std::string At(const std::string& name) const { return folder_.path() + "/in/" + name; }
  void WriteFile(const std::string& name, const std::string& content) const {
    std::ofstream(At(name), std::ios::binary) << content;
  }
  void WriteCaptions(const std::vector<std::string>& images) const {
    std::string lines;
    for (const std::string& image : images) lines += "{\"image\": \"" + image + "\", \"caption\": \"x\"}\n";
    WriteFile("captions.jsonl", lines);
  }
  std::string Refusal() const { return ToString(FindCaptionedPictures(At("")).status().message()); }
  enigma::testing::TemporaryDirectory folder_;
};

TEST_F(CaptionedPicturesTest, EachPictureIsFoundOnce) {
  WriteFile("images/1.png", "12345");
  WriteFile("2.jpg", "12");
  WriteCaptions({"images/1.png", "2.jpg", "images/1.png"});
  for (const std::string& data : {At(""), At("captions.jsonl")}) {
    const auto found = FindCaptionedPictures(data);
    ASSERT_TRUE(found.ok()) << found.status();
    EXPECT_EQ(found->captions.bytes, std::filesystem::file_size(At("captions.jsonl")));
    ASSERT_EQ(found->pictures.size(), 2U);
    EXPECT_EQ(found->pictures[0].name, "images/1.png");
    EXPECT_EQ(found->pictures[0].bytes, 5U);
    EXPECT_TRUE(std::filesystem::equivalent(found->pictures[1].path, At("2.jpg")));
  }
}

TEST_F(CaptionedPicturesTest, WhatIsMissingOrLiesElsewhereIsSaidWithFileAndLine) {
  EXPECT_THAT(Refusal(), HasSubstr("captions.jsonl: pictures to learn from need one"));
  WriteFile("1.png", "1");
  WriteCaptions({"1.png", "2.png"});
  EXPECT_THAT(Refusal(), HasSubstr("captions.jsonl, line 2: there is no picture"));
  WriteCaptions({"1.png", "images"});
  EXPECT_THAT(Refusal(), HasSubstr("line 2: "));
  EXPECT_THAT(Refusal(), HasSubstr("images is no file"));
  WriteCaptions({"../1.png"});
  EXPECT_THAT(Refusal(), HasSubstr("line 1: \"image\" is no path below"));
  std::ofstream(folder_.path() + "/secret.png") << "s";
  std::filesystem::create_symlink("../secret.png", At("3.png"));
  WriteCaptions({"1.png", "3.png"});
  EXPECT_THAT(Refusal(), HasSubstr("line 2: "));
  EXPECT_THAT(Refusal(), HasSubstr("leads out of the folder"));
  std::filesystem::create_symlink("1.png", At("4.png"));  // a link within is none
  WriteCaptions({"4.png"});
  EXPECT_EQ(Refusal(), "");
  WriteFile("captions.jsonl", "");
  EXPECT_THAT(Refusal(), HasSubstr("it names no pictures"));
}

TEST_F(CaptionedPicturesTest, WhatACoordinatorWouldRefuseIsSaidBeforeItIsSent) {
  WriteFile("1.png", "12345");
  WriteFile("2.png", "1");
  WriteCaptions({"1.png", "1.png", "2.png"});
  const uint64_t captions = std::filesystem::file_size(At("captions.jsonl"));
  const auto refusal = [&](const coordinator::Submission::Limits& limits) {
    return ToString(FindCaptionedPictures(At(""), limits).status().message());
  };
  coordinator::Submission::Limits limits = {
      .data_bytes_max = captions + 6, .pictures = {.picture_bytes_max = 5, .pictures_max = 2, .name_bytes_max = 10}};
  EXPECT_EQ(refusal(limits), "");
  limits.data_bytes_max = captions + 5;
  EXPECT_THAT(refusal(limits), HasSubstr("captions.jsonl, line 3: captions and pictures may have 0 MiB in all"));
  limits = {.pictures = {.picture_bytes_max = 4}};
  EXPECT_THAT(refusal(limits), HasSubstr("captions.jsonl, line 1: "));
  EXPECT_THAT(refusal(limits), HasSubstr("1.png has 0 MiB, and a picture may have 0"));
  limits = {.pictures = {.pictures_max = 1}};
  EXPECT_THAT(refusal(limits), HasSubstr("line 3: at most 1 pictures"));
  limits = {.pictures = {.name_bytes_max = 9}};
  EXPECT_THAT(refusal(limits), HasSubstr("line 3: the names of pictures"));
  EXPECT_TRUE(absl::IsResourceExhausted(FindCaptionedPictures(At(""), limits).status()));
}

}  // namespace
}  // namespace enigma::cli
