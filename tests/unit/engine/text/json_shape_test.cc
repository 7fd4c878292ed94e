#include "engine/text/json_shape.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enigma::engine {
namespace {

using ::testing::HasSubstr;

std::string Complaint(const std::string& text) {
  const absl::Status status = CheckJsonShape(text, {.depth_max = 3, .fields_max = 2, .values_max = 8});
  return std::string(status.message());
}

TEST(JsonShapeTest, TakesWhatIsWithinItsLimits) {
  for (const char* text :
       {"", "{}", "[[[1]]]", R"({"a":1,"b":{"c":[]}})", "[1,2,3,4,5,6]", R"(["[[[[[[","{,,,,,,,,,"])",
        R"({"a\"{[{[{[":1})", R"(["\\"])", "]]]]}}}}", R"("unfinished \)", "[1,{},{},[]]"}) {
    EXPECT_EQ(Complaint(text), "") << text;
  }
}

TEST(JsonShapeTest, SaysWhatIsTooMuch) {
  EXPECT_THAT(Complaint("[[[[]]]]"), HasSubstr("deeper than 3"));
  EXPECT_THAT(Complaint(R"({"a":{"a":{"a":{}}}})"), HasSubstr("deeper than 3"));
  EXPECT_THAT(Complaint(R"({"a":1,"b":2,"c":3})"), HasSubstr("more than 2 fields"));
  EXPECT_THAT(Complaint(R"([1,{"a":1,"b":2,"c":3}])"), HasSubstr("more than 2 fields"));
  EXPECT_THAT(Complaint("[1,2,3,4,5,6,7,8]"), HasSubstr("more than 8 values"));
  EXPECT_THAT(Complaint("[[],[],[],[]]"), HasSubstr("more than 8 values"));
  EXPECT_THAT(Complaint(std::string(1'000'000, '{')), HasSubstr("deeper than 3"));
}

}  // namespace
}  // namespace enigma::engine
