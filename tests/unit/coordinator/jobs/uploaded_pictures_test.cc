#include "coordinator/jobs/uploaded_pictures.h"

#include <filesystem>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/process.h"

namespace enigma::coordinator {
namespace {

using ::testing::HasSubstr;

class UploadedPicturesTest : public ::testing::Test {
 protected:
  std::unique_ptr<UploadedPictures> Create(const UploadedPictures::Limits& limits = {}) {
    auto made = UploadedPictures::Create(directory_.path() + "/pictures", limits);
    EXPECT_TRUE(made.ok()) << made.status();
    return *std::move(made);
  }
  enigma::testing::TemporaryDirectory directory_;
};

TEST_F(UploadedPicturesTest, EachHasItsOwnBytes) {
  const auto pictures = Create();
  ASSERT_TRUE(pictures->Begin("a/1.png").ok());
  ASSERT_TRUE(pictures->Append("one").ok());
  ASSERT_TRUE(pictures->Append(", in two").ok());
  ASSERT_TRUE(pictures->Begin("empty.png").ok());
  ASSERT_TRUE(pictures->Begin("2.jpg").ok());
  ASSERT_TRUE(pictures->Append("two").ok());
  EXPECT_FALSE(pictures->Bytes("2.jpg").ok()) << "not all are there";
  ASSERT_TRUE(pictures->Finish().ok());
  EXPECT_EQ(pictures->size(), 3U);
  EXPECT_EQ(pictures->Bytes("a/1.png").value(), "one, in two");
  EXPECT_EQ(pictures->Bytes("empty.png").value(), "");
  EXPECT_EQ(pictures->Bytes("2.jpg").value(), "two");
  EXPECT_EQ(pictures->Bytes("3.png").status().code(), absl::StatusCode::kNotFound);
}

TEST_F(UploadedPicturesTest, LimitsAreNamed) {
  const auto pictures = Create({.picture_bytes_max = 1 << 20, .pictures_max = 2, .name_bytes_max = 100});
  ASSERT_TRUE(pictures->Begin("a").ok());
  EXPECT_THAT(std::string(pictures->Begin("a").message()), HasSubstr("a was sent twice"));
  ASSERT_TRUE(pictures->Append(std::string(1 << 20, 'x')).ok());
  EXPECT_THAT(std::string(pictures->Append("x").message()), HasSubstr("a has more than 1 MiB"));
  EXPECT_EQ(pictures->Begin(std::string(100, 'n')).code(), absl::StatusCode::kResourceExhausted);
  const auto others = Create({.picture_bytes_max = 1, .pictures_max = 1, .name_bytes_max = 100});
  ASSERT_TRUE(others->Begin("a").ok());
  EXPECT_THAT(std::string(others->Begin("b").message()), HasSubstr("at most 1 of them"));
}

TEST_F(UploadedPicturesTest, WhatDidNotComeToAnEndLeavesNothing) {
  auto pictures = Create();
  ASSERT_TRUE(pictures->Begin("a").ok());
  ASSERT_TRUE(pictures->Append("x").ok());
  pictures.reset();
  EXPECT_TRUE(std::filesystem::is_empty(directory_.path()));
}

}  // namespace
}  // namespace enigma::coordinator
