#include "cli/evaluation/router_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enigma::cli {
namespace {

using ::testing::HasSubstr;

std::vector<eval::RouterAnswer> SomeAnswers() {
  return {{0, 0, 0.9, 0.9},  {0, 0, 0.7, 0.7},           {0, 1, 0.6, 0.4},          {1, 1, 0.8, 0.8},
          {2, 1, 0.5, 0.25}, {std::nullopt, 0, 0.55, 0}, {std::nullopt, 1, 0.75, 0}};
}

TEST(RouterReportTest, TheJsonHasTheKeysThatAreDocumented) {
  RouterReport report;
  report.router.labels = {"chat", "code", "math"};
  report.metrics = eval::MeasureRouter(SomeAnswers(), 3);
  const Json json = ToJson(report);
  for (const char* key : {"accuracy", "per_label", "ece", "oos_auroc", "confusion", "threshold_curve", "mistakes"}) {
    EXPECT_TRUE(json.contains(key)) << key;
  }
  EXPECT_DOUBLE_EQ(json["per_label"]["chat"]["f1"], 0.8);
  EXPECT_DOUBLE_EQ(json["oos_auroc"], 0.6);
  EXPECT_THAT(ToText(report), HasSubstr("AUROC 0.600 over 2 texts"));
}

}  // namespace
}  // namespace enigma::cli
