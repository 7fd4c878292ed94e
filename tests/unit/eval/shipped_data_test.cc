// The training sets data/intents and data/code keep what their READMEs say.
#include <map>
#include <set>
#include <string>
#include <vector>

#include <absl/strings/ascii.h>
#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/utf8.h"
#include "eval/code/code_tasks.h"
#include "eval/sandbox/python_sandbox.h"
#include "tests/support/test_data.h"

namespace enigma::eval {
namespace {

using ::testing::HasSubstr;
using ::testing::SizeIs;

std::string DataFile(const std::string& name) {
  return enigma::testing::ReadFileOrDie(std::string(ENIGMA_SOURCE_DIR "/data/") + name);
}

// 5765 as READMEs write it: "5,765".
std::string Grouped(size_t count) {
  std::string text = std::to_string(count);
  for (size_t at = text.size(); at > 3; at -= 3) text.insert(at - 3, ",");
  return text;
}

// Letters, digits and what is not ASCII, in lower case, one space for everything between them; the text itself where it
// has none of these.
std::string Plain(const std::string& text) {
  std::string plain;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isalnum(byte) || byte >= 0x80) {
      plain += absl::ascii_tolower(byte);
    } else if (!plain.empty() && plain.back() != ' ') {
      plain += ' ';
    }
  }
  if (!plain.empty() && plain.back() == ' ') plain.pop_back();
  return plain.empty() ? text : plain;
}

TEST(ShippedIntents, KeepTheirRules) {
  const std::string bytes = DataFile("intents/requests.tsv");
  const std::string readme = DataFile("intents/README.md");
  ASSERT_EQ(ValidUtf8Prefix(bytes), bytes.size());
  ASSERT_TRUE(absl::EndsWith(bytes, "\n"));
  std::vector<std::string> lines = absl::StrSplit(bytes, '\n');
  lines.pop_back();
  std::map<std::string, size_t> counts = {{"chat", 0},  {"code", 0},   {"vision", 0}, {"math", 0},
                                          {"image", 0}, {"search", 0}, {"none", 0}};
  std::map<std::string, size_t> seen;
  for (size_t i = 0; i < lines.size(); ++i) {
    SCOPED_TRACE(::testing::Message() << "requests.tsv:" << i + 1);
    const std::vector<std::string> fields = absl::StrSplit(lines[i], '\t');
    ASSERT_THAT(fields, SizeIs(2));
    ASSERT_EQ(counts.count(fields[0]), 1u) << fields[0];
    ++counts[fields[0]];
    EXPECT_EQ(absl::StripAsciiWhitespace(fields[1]), fields[1]);
    EXPECT_FALSE(fields[1].empty());
    const auto [other, is_new] = seen.try_emplace(Plain(fields[1]), i + 1);
    EXPECT_TRUE(is_new) << "asked before, in line " << other->second;
  }
  EXPECT_GE(lines.size(), 2500u);
  EXPECT_THAT(readme, HasSubstr(absl::StrCat("| requests | ", Grouped(lines.size()), " |")));
  for (const auto& [label, count] : counts) {
    const size_t row = readme.find(absl::StrCat("| `", label, "`: "));
    ASSERT_NE(row, std::string::npos) << label;
    EXPECT_THAT(readme.substr(row, readme.find('\n', row) - row), ::testing::EndsWith(absl::StrCat("| ", count, " |")));
  }
}

class ShippedCode : public ::testing::Test {
 protected:
  void SetUp() override {
    auto parsed = ParseCodeTasks(DataFile("code/tasks.jsonl"), "tasks.jsonl");
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    tasks_ = *std::move(parsed);
  }
  std::vector<CodeTask> tasks_;
};

TEST_F(ShippedCode, KeepsItsRules) {
  const std::string readme = DataFile("code/README.md");
  std::set<std::string> names;
  std::set<std::string> prompts;
  size_t tests = 0, longest_prompt = 0, longest_solution = 0;
  for (const CodeTask& task : tasks_) {
    SCOPED_TRACE(task.name);
    EXPECT_TRUE(names.insert(task.name).second);
    EXPECT_THAT(task.prompts, SizeIs(6));
    for (const std::string& prompt : task.prompts) {
      EXPECT_THAT(prompt, HasSubstr(task.name));
      EXPECT_TRUE(prompts.insert(Plain(prompt)).second) << prompt;
      longest_prompt = std::max(longest_prompt, prompt.size());
    }
    EXPECT_THAT(task.solution, HasSubstr(absl::StrCat("def ", task.name, "(")));
    longest_solution = std::max(longest_solution, task.solution.size());
    tests += task.tests.size();
    EXPECT_GE(task.tests.size(), 4u);
    for (const std::string& test : task.tests) EXPECT_THAT(test, HasSubstr("assert "));
  }
  EXPECT_THAT(readme, HasSubstr(absl::StrCat("| tasks | ", tasks_.size(), " |")));
  EXPECT_THAT(readme, HasSubstr(absl::StrCat("| requests | ", prompts.size(), " |")));
  EXPECT_THAT(readme, HasSubstr(absl::StrCat("| tests | ", tests, " |")));
  EXPECT_THAT(readme, HasSubstr(absl::StrCat("| ", longest_prompt, " and ", longest_solution, " characters |")));
}

TEST_F(ShippedCode, HoldsOutOneWordingOfEachTask) {
  const auto held_out = RequestsOf(tasks_, Split::kTest);
  const auto training = RequestsOf(tasks_, Split::kTrain);
  EXPECT_THAT(held_out, SizeIs(tasks_.size()));
  EXPECT_THAT(training, SizeIs(5 * tasks_.size()));
  const std::string lines = TrainingLines(training);
  for (const CodeRequest& request : held_out) {
    EXPECT_EQ(request.prompt, request.task->prompts[PartOf(request.task->name, 6)]);
    for (const CodeRequest& other : training) EXPECT_NE(other.prompt, request.prompt);
  }
}

TEST_F(ShippedCode, HasSolutionsThatPassTheirTests) {
  const auto sandbox = PythonSandbox::Create();
  if (absl::IsNotFound(sandbox.status()) || absl::IsFailedPrecondition(sandbox.status())) {
    GTEST_SKIP() << sandbox.status().message();
  }
  ASSERT_TRUE(sandbox.ok()) << sandbox.status();
  for (const CodeTask& task : tasks_) {
    const auto run = sandbox->Run(task.solution, task.tests);
    ASSERT_TRUE(run.ok()) << run.status();
    EXPECT_EQ(NameOf(run->outcome), "passed") << task.name << ": " << run->detail;
  }
}

}  // namespace
}  // namespace enigma::eval
