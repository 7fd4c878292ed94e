#include "eval/code/code_tasks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace enigma::eval {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

constexpr char kTask[] = R"py({"name": "twice", "prompts": ["twice(x): double it", "write twice(x)"], )py"
                         R"py("solution": "def twice(x):\n    return 2 * x", "tests": ["assert twice(2) == 4"]})py";

TEST(CodeTasks, AreReadLineByLine) {
  const auto tasks = ParseCodeTasks(std::string(kTask) + "\n\n" + kTask + "\r\n", "t.jsonl");
  ASSERT_TRUE(tasks.ok()) << tasks.status();
  ASSERT_THAT(*tasks, SizeIs(2));
  EXPECT_EQ(tasks->back().name, "twice");
  EXPECT_EQ(tasks->back().solution, "def twice(x):\n    return 2 * x");
  EXPECT_THAT(RequestsOf(*tasks, std::nullopt), SizeIs(4));
}

TEST(CodeTasks, AreRefusedWithTheirPlace) {
  const struct {
    const char* line;
    const char* why;
  } cases[] = {
      {"[]", "no JSON object"},
      {"{}", "'name'"},
      {R"({"name": 1})", "'name'"},
      {R"({"name": "f"})", "'prompts'"},
      {R"({"name": "f", "prompts": []})", "'prompts'"},
      {R"({"name": "f", "prompts": ["f", 2]})", "'prompts'"},
      {R"({"name": "f", "prompts": ["f"]})", "'solution'"},
      {R"({"name": "f", "prompts": ["f"], "solution": "x"})", "'tests'"},
  };
  for (const auto& test : cases) {
    const auto tasks = ParseCodeTasks(std::string(kTask) + "\n" + test.line, "t.jsonl");
    EXPECT_THAT(std::string(tasks.status().message()), HasSubstr("t.jsonl:2: ")) << test.line;
    EXPECT_THAT(std::string(tasks.status().message()), HasSubstr(test.why));
  }
  EXPECT_FALSE(ParseCodeTasks("\n", "t.jsonl").ok());
}

TEST(CodeTasks, BecomePairsToTrainOn) {
  const auto tasks = ParseCodeTasks(kTask, "t.jsonl");
  ASSERT_TRUE(tasks.ok()) << tasks.status();
  const auto held_out = RequestsOf(*tasks, Split::kTest);
  const auto training = RequestsOf(*tasks, Split::kTrain);
  ASSERT_THAT(held_out, SizeIs(1));
  ASSERT_THAT(training, SizeIs(1));
  // SHA-256 of "twice" begins with dc8ffdbf2736dbdf, an odd number.
  EXPECT_EQ(held_out[0].prompt, "write twice(x)");
  EXPECT_EQ(TrainingLines(training),
            "{\"question\":\"twice(x): double it\",\"answer\":\"def twice(x):\\n    return 2 * x\"}\n");
}

}  // namespace
}  // namespace enigma::eval
