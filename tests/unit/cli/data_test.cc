// `enigma data`: what it writes is what a training job reads, and holds nothing that judges the model.
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "engine/corpus/question_answer.h"
#include "eval/code/code_tasks.h"
#include "tests/support/process.h"
#include "tests/support/test_data.h"
#include "tests/unit/cli/run_enigma.h"

namespace enigma::cli {
namespace {

using ::testing::HasSubstr;
using Json = nlohmann::json;

class DataTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return folder_.path() + "/" + name; }

  // What a command that succeeds reports, and the lines that it wrote.
  Json Write(std::vector<std::string> arguments, std::vector<Json>& lines) const {
    const std::string out = Path("out.jsonl");
    arguments.insert(arguments.begin(), "data");
    arguments.insert(arguments.end(), {"--out", out, "--force", "--json"});
    const Outcome outcome = RunEnigma(arguments);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    std::istringstream in(testing::ReadFileOrDie(out));
    lines.clear();
    for (std::string line; std::getline(in, line);) lines.push_back(Json::parse(line));
    return outcome.status == 0 ? Json::parse(outcome.out) : Json();
  }

  testing::TemporaryDirectory folder_;
};

const std::string kTasks = std::string(ENIGMA_SOURCE_DIR) + "/data/code/tasks.jsonl";

TEST_F(DataTest, MathIsAsManyProblemsAsAreAskedForOfTheSplit) {
  std::vector<Json> train, test, again;
  const Json report = Write({"math", "--count", "400", "--seed", "5"}, train);
  EXPECT_EQ(report.at("problems"), 400);
  EXPECT_EQ(report.at("split"), "train");
  EXPECT_EQ(train.size(), 400U);
  Write({"math", "--count", "400", "--seed", "5", "--split", "test"}, test);
  EXPECT_EQ(test.size(), 400U);
  std::set<std::string> asked;
  for (const Json& line : train) asked.insert(line.at("question"));
  for (const Json& line : test) EXPECT_EQ(asked.count(line.at("question")), 0U) << line;
  const Json repeated = Write({"math", "--count", "400", "--seed", "5"}, again);
  EXPECT_EQ(again, train);
  EXPECT_EQ(repeated.at("sha256"), report.at("sha256"));
  Write({"math", "--count", "30", "--kinds", "product"}, again);
  for (const Json& line : again) EXPECT_EQ(line.at("kind"), "product");
}

TEST_F(DataTest, CodeLeavesOutTheWordingThatIsHeldOut) {
  const auto tasks = eval::ParseCodeTasks(testing::ReadFileOrDie(kTasks), kTasks);
  ASSERT_TRUE(tasks.ok()) << tasks.status();
  std::set<std::string> held_out;
  for (const eval::CodeTask& task : *tasks) held_out.insert(task.prompts[eval::HeldOutPrompt(task)]);
  std::vector<Json> train, test;
  const Json report = Write({"code", "--data", kTasks}, train);
  EXPECT_EQ(report.at("tasks"), tasks->size());
  EXPECT_EQ(train.size(), 5 * tasks->size());
  for (const Json& line : train) EXPECT_EQ(held_out.count(line.at("question")), 0U) << line;
  Write({"code", "--data", kTasks, "--split", "test"}, test);
  EXPECT_EQ(test.size(), tasks->size());
  for (const Json& line : test) EXPECT_EQ(held_out.count(line.at("question")), 1U) << line;
}

TEST_F(DataTest, BothAreReadAsPairsByATrainingJob) {
  for (const std::vector<std::string>& command :
       {std::vector<std::string>{"math", "--count", "50"}, std::vector<std::string>{"code", "--data", kTasks}}) {
    std::vector<Json> lines;
    Write(command, lines);
    for (const Json& line : lines) {
      engine::ReaderCounts counts;
      const auto document =
          engine::PairDocument(line.at("question").get<std::string>(), line.at("answer").get<std::string>(), counts);
      ASSERT_TRUE(document.ok()) << document.status();
      EXPECT_EQ(document->segments.front().text, "Q: " + line.at("question").get<std::string>() + "\nA:");
      EXPECT_TRUE(document->segments.back().trained);
    }
  }
}

TEST_F(DataTest, AFileThatIsThereStaysUnlessForced) {
  const std::string path = Path("kept.jsonl");
  std::ofstream(path) << "kept\n";
  const Outcome refused = RunEnigma({"data", "math", "--count", "3", "--out", path});
  EXPECT_EQ(refused.status, 1);
  EXPECT_THAT(refused.err, HasSubstr("--force replaces it"));
  EXPECT_EQ(testing::ReadFileOrDie(path), "kept\n");
  const Outcome forced = RunEnigma({"data", "math", "--count", "3", "--out", path, "--force"});
  EXPECT_EQ(forced.status, 0) << forced.err;
  EXPECT_THAT(forced.out, HasSubstr("3 problems"));
  EXPECT_NE(testing::ReadFileOrDie(path), "kept\n");
}

TEST_F(DataTest, WhatCannotBeReadOrWrittenIsNamedAndLeavesNothing) {
  EXPECT_THAT(RunEnigma({"data", "math", "--count", "3", "--out", "/nonexistent/x"}).err,
              HasSubstr("/nonexistent/x cannot be written"));
  EXPECT_THAT(RunEnigma({"data", "math", "--kinds", "product", "--count", "9000", "--out", Path("x")}).err,
              HasSubstr("different problems of these kinds"));
  EXPECT_THAT(RunEnigma({"data", "code", "--data", "/nonexistent/t", "--out", Path("x")}).err,
              HasSubstr("with --data"));
  std::ofstream(Path("broken")) << "{}\n";
  EXPECT_THAT(RunEnigma({"data", "code", "--data", Path("broken"), "--out", Path("x")}).err,
              HasSubstr("broken:1: the task needs a text 'name'"));
  size_t files = 0;
  for ([[maybe_unused]] const auto& file : std::filesystem::directory_iterator(folder_.path())) ++files;
  EXPECT_EQ(files, 1U) << "only the broken one";
}

}  // namespace
}  // namespace enigma::cli
