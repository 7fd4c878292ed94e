// `enigma models inspect` of an image encoder's file.
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/process.h"
#include "tests/unit/cli/run_enigma.h"

namespace enigma::cli {
namespace {

using ::testing::HasSubstr;

TEST(InspectEncoderTest, ShowsPictureAndPrefix) {
  const std::string path = ENIGMA_SOURCE_DIR "/tests/fuzz/corpus/gguf/encoder.gguf";
  const Outcome text = RunEnigma({"models", "inspect", path});
  ASSERT_EQ(text.status, 0) << text.err;
  EXPECT_THAT(text.out, HasSubstr("1 layers, 16 wide, ffn 8, 2 heads of 8, behind 1 convolutions"));
  EXPECT_THAT(text.out, HasSubstr("8 x 8 pixels to 4 rows of 8"));
  EXPECT_THAT(text.out, HasSubstr("not runnable: an image encoder goes before a decoder"));
  const Outcome outcome = RunEnigma({"models", "inspect", "--json", path});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto json = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(json.at("architecture"), "enigma-vision");
  EXPECT_EQ(json.at("runnable"), false);
  EXPECT_EQ(json.at("encoder").at("prefix"), 4);
}

}  // namespace
}  // namespace enigma::cli
