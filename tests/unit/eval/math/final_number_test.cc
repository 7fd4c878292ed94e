#include "eval/math/final_number.h"

#include <gtest/gtest.h>

namespace enigma::eval {
namespace {

TEST(FinalNumber, IsTheLastOneInOneWriting) {
  const struct {
    const char* text;
    const char* number;
  } cases[] = {
      {"34 + 58 = 92", "92"},
      {"92", "92"},
      {"The answer is 92.", "92"},
      {"first 1, then 2, then 3 apples", "3"},
      {"34 - 58 = -24", "-24"},
      {"-7", "-7"},
      {"it is (-7)", "-7"},
      {"it is \xE2\x88\x92 7", "7"},
      {"it is \xE2\x88\x92"
       "7",
       "-7"},
      {"9-4", "4"},
      {"(9)-4", "4"},
      {"x-4", "4"},
      {"1,200", "1200"},
      {"1,200,000 euros", "1200000"},
      {"1,20", "20"},
      {"1,2000", "2000"},
      {"007", "7"},
      {"0", "0"},
      {"-0", "0"},
      {"0.50", "0.5"},
      {"2.0", "2"},
      {"-0.25 m", "-0.25"},
      {"about 3.", "3"},
      {"v1.2.3", "3"},
  };
  for (const auto& test : cases) EXPECT_EQ(FinalNumber(test.text), test.number) << test.text;
}

TEST(FinalNumber, IsNothingWithoutDigits) {
  EXPECT_EQ(FinalNumber(""), std::nullopt);
  EXPECT_EQ(FinalNumber("ninety-two."), std::nullopt);
}

}  // namespace
}  // namespace enigma::eval
