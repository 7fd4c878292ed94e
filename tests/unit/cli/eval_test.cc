// `enigma eval code`, `math` and `perplexity` with models in this process. A model with random weights is made to
// answer by a bias on one token, so that what an answer is worth is known.
#include <cmath>
#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "eval/sandbox/python_sandbox.h"
#include "tests/support/process.h"
#include "tests/support/synthetic_models.h"
#include "tests/support/test_data.h"
#include "tests/unit/cli/run_enigma.h"

namespace enigma::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::SizeIs;
using Json = nlohmann::json;

class EvalTest : public ::testing::Test {
 protected:
  std::string Written(const std::string& name, const std::string& content) const {
    const std::string path = folder_.path() + "/" + name;
    std::ofstream(path, std::ios::binary) << content;
    return path;
  }

  // `word` is one token of the synthetic vocabulary, and the only one that the model can then say.
  std::vector<std::string> Saying(const std::string& word, const std::string& times) const {
    const Outcome tokens = RunEnigma({"tokenize", "--model", model_, "--text", word, "--json"});
    EXPECT_EQ(tokens.status, 0) << tokens.err;
    const int id = Json::parse(tokens.out).at("ids").get<std::vector<int>>().back();
    return {"--logit-bias", std::to_string(id) + "=100", "--max-tokens", times, "--threads", "1"};
  }

  Outcome Eval(const std::string& what, std::vector<std::string> flags) const {
    flags.insert(flags.begin(), {"eval", what, "--local", model_});
    return RunEnigma(flags);
  }
  Json JsonOf(const std::string& what, std::vector<std::string> flags) const {
    flags.push_back("--json");
    const Outcome outcome = Eval(what, flags);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome.status == 0 ? Json::parse(outcome.out) : Json();
  }

  testing::TemporaryDirectory folder_;
  const std::string model_ = testing::SyntheticModelPath("tiny", "q8_0");
};

std::vector<std::string> operator+(std::vector<std::string> a, const std::vector<std::string>& b) {
  a.insert(a.end(), b.begin(), b.end());
  return a;
}

TEST_F(EvalTest, MathComparesTheLastNumber) {
  const std::string data = Written("m.jsonl",
                                   "{\"question\": \"10 + 1?\", \"answer\": \"10 + 1 = 11\", \"kind\": \"sum\"}\n"
                                   "{\"question\": \"3 * 4?\", \"answer\": \"12\", \"kind\": \"product\"}\n"
                                   "{\"question\": \"5 + 6?\", \"answer\": \"11.0\", \"kind\": \"sum\"}\n");
  const Json json = JsonOf("math", Saying("1", "2") + std::vector<std::string>{"--data", data});
  EXPECT_EQ(json.at("questions"), 3);
  EXPECT_EQ(json.at("right"), 2);
  EXPECT_DOUBLE_EQ(json.at("accuracy").get<double>(), 2.0 / 3);
  EXPECT_THAT(json.at("accuracy_interval"), SizeIs(2));
  EXPECT_EQ(json.at("form"), "qa");
  EXPECT_EQ(json.at("cut"), 3) << "each answer has the two tokens that it may have";
  ASSERT_THAT(json.at("kinds"), SizeIs(2));
  EXPECT_EQ(json.at("kinds")[0].at("kind"), "sum");
  EXPECT_EQ(json.at("kinds")[0].at("right"), 2);
  EXPECT_EQ(json.at("kinds")[1].at("right"), 0);
  EXPECT_EQ(json.at("results")[1].at("number"), "11");
  EXPECT_EQ(json.at("results")[1].at("expected"), "12");
  const Outcome text = Eval("math", Saying("1", "2") + std::vector<std::string>{"--data", data});
  EXPECT_THAT(text.out, AllOf(HasSubstr(": 66.7 % right (2 of 3 questions; 95 % interval 20.8 to 93.9 %)"),
                              HasSubstr("product"), HasSubstr("3 * 4?"), HasSubstr("--max-tokens")));
}

TEST_F(EvalTest, MathMakesItsProblemsWhereNoneAreGiven) {
  const Json json =
      JsonOf("math", Saying("x", "1") + std::vector<std::string>{"--count", "6", "--kinds", "difference"});
  EXPECT_EQ(json.at("questions"), 6);
  EXPECT_EQ(json.at("right"), 0);
  EXPECT_EQ(json.at("without_number"), 6);
  EXPECT_EQ(json.at("results")[0].at("number"), nullptr);
  EXPECT_EQ(json.at("kinds")[0].at("kind"), "difference");
}

class EvalCodeTest : public EvalTest {
 protected:
  void SetUp() override {
    const auto sandbox = eval::PythonSandbox::Create();
    if (absl::IsNotFound(sandbox.status()) || absl::IsFailedPrecondition(sandbox.status())) {
      GTEST_SKIP() << sandbox.status().message();
    }
  }
  // A task that a program of digits passes or not, by its test.
  static std::string Task(const std::string& name, const std::string& test) {
    return Json({{"name", name}, {"prompts", {"write " + name}}, {"solution", "1"}, {"tests", {test}}}).dump() + "\n";
  }
};

TEST_F(EvalCodeTest, CountsWhatPassesAndWhyTheRestDoesNot) {
  const std::string data = Written("t.jsonl", Task("passes", "assert True") + Task("wrong", "assert False") +
                                                  Task("raises", "raise KeyError") + Task("slow", "while True: pass") +
                                                  Task("greedy", "x = bytearray(1 << 40)"));
  const std::vector<std::string> flags = Saying("1", "3") + std::vector<std::string>{"--data", data, "--timeout", "1"};
  const Json json = JsonOf("code", flags);
  EXPECT_EQ(json.at("requests"), 5);
  EXPECT_DOUBLE_EQ(json.at("pass_at_1").get<double>(), 0.2);
  const Json& outcomes = json.at("outcomes");
  for (const char* outcome : {"passed", "wrong_answer", "exception", "timeout", "memory"}) {
    EXPECT_EQ(outcomes.at(outcome), 1) << outcome;
  }
  EXPECT_EQ(outcomes.at("syntax"), 0);
  EXPECT_EQ(json.at("tasks")[0], Json({{"name", "passes"}, {"answers", 1}, {"passed", 1}}));
  EXPECT_THAT(json.at("results")[1].at("answer").get<std::string>(), HasSubstr("111"));
  EXPECT_EQ(json.at("results")[1].at("detail"), "assert False");
}

TEST_F(EvalCodeTest, ShowsWhatFailed) {
  const std::string data = Written("t.jsonl", Task("passes", "assert True") + Task("fails", "assert False"));
  const Outcome no_python = Eval("code", Saying("(", "3") + std::vector<std::string>{"--data", data});
  EXPECT_EQ(no_python.status, 0) << no_python.err;
  EXPECT_THAT(no_python.out, AllOf(HasSubstr("pass@1 0.0 % (0 of 2 answers to 2 requests"), HasSubstr("syntax"),
                                   HasSubstr("SyntaxError")));
  const Outcome half = Eval("code", Saying("1", "3") + std::vector<std::string>{"--data", data});
  EXPECT_THAT(half.out, AllOf(HasSubstr("pass@1 50.0 %"), HasSubstr("fails  0 of 1  wrong answer  assert False")));
  const Outcome first = Eval("code", Saying("1", "3") + std::vector<std::string>{"--data", data, "--limit", "1"});
  EXPECT_THAT(first.out, HasSubstr("pass@1 100.0 % (1 of 1"));
}

TEST_F(EvalCodeTest, SeveralAnswersAreSampled) {
  const std::string data = Written("t.jsonl", Task("passes", "assert True"));
  const std::vector<std::string> flags = Saying("1", "3") + std::vector<std::string>{"--data", data, "--samples", "3"};
  const Outcome greedy = Eval("code", flags);
  EXPECT_EQ(greedy.status, 2);
  EXPECT_THAT(greedy.err, HasSubstr("--temperature"));
  const Json json = JsonOf("code", flags + std::vector<std::string>{"--temperature", "0.5"});
  EXPECT_EQ(json.at("answers"), 3);
  EXPECT_DOUBLE_EQ(json.at("pass_any").get<double>(), 1);
}

TEST_F(EvalTest, WhatCannotBeJudgedIsNamed) {
  EXPECT_THAT(Eval("math", {"--data", "/nonexistent"}).err, HasSubstr("/nonexistent cannot be opened"));
  EXPECT_THAT(Eval("code", {"--data", "/nonexistent"}).err, HasSubstr("with --data"));
  EXPECT_THAT(Eval("math", {"--data", Written("bad", "{}")}).err, HasSubstr("bad:1: the problem needs"));
  // A question that leaves no room for an answer.
  const std::string longer = Written("long", "{\"question\": \"" + std::string(600, '1') + "\", \"answer\": \"1\"}");
  const Outcome outcome = Eval("math", {"--data", longer, "--threads", "1"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, AllOf(HasSubstr("question 1 of 1: "), HasSubstr("the context is 512")));
}

TEST_F(EvalTest, AFileMayBeNamedByEitherFlag) {
  const std::string file = folder_.path() + "/m.gguf";
  std::filesystem::copy_file(model_, file);
  const std::vector<std::string> rest = Saying("1", "1") + std::vector<std::string>{"--count", "1", "--json"};
  const Outcome outcome = RunEnigma(std::vector<std::string>{"eval", "math", "--model", file} + rest);
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(Json::parse(outcome.out).at("model"), "m");
}

TEST_F(EvalTest, PerplexityIsThatOfTheTokens) {
  const std::string text = "one two three four five six seven eight nine ten";
  const std::string data = Written("t.txt", text);
  const Json json = JsonOf("perplexity", {"--data", data, "--threads", "1"});
  EXPECT_EQ(json.at("bytes"), text.size());
  EXPECT_EQ(json.at("characters"), text.size());
  EXPECT_EQ(json.at("windows"), 1);
  const double nll = json.at("nll").get<double>();
  EXPECT_NEAR(json.at("perplexity").get<double>(), std::exp(nll), 1e-9 * std::exp(nll));
  EXPECT_NEAR(json.at("nll_total").get<double>(), nll * json.at("tokens").get<double>(), 1e-9);
  EXPECT_NEAR(json.at("bits_per_byte").get<double>() * static_cast<double>(text.size()) * std::log(2.0),
              json.at("nll_total").get<double>(), 1e-9);
  // Shorter windows see less, and score as many tokens.
  const Json cut = JsonOf("perplexity", {"--data", data, "--threads", "1", "--context", "8", "--stride", "4"});
  EXPECT_EQ(cut.at("tokens"), json.at("tokens"));
  EXPECT_GT(cut.at("windows"), 1);
  EXPECT_NE(cut.at("nll"), json.at("nll"));
  const Outcome shown = Eval("perplexity", {"--data", data, "--threads", "1"});
  EXPECT_THAT(shown.out, AllOf(HasSubstr("perplexity "), HasSubstr("bits per byte"), HasSubstr("tokens of 48 bytes")));
}

TEST_F(EvalTest, PerplexitySaysWhatItNeeds) {
  const std::string empty = Written("empty.txt", "");
  EXPECT_THAT(Eval("perplexity", {"--data", empty}).err, HasSubstr("nothing to score"));
  const Outcome name = RunEnigma({"eval", "perplexity", "--model", "demo", "--data", empty});
  EXPECT_EQ(name.status, 2);
  EXPECT_THAT(name.err, AllOf(HasSubstr("there is no file demo"), HasSubstr("GGUF file")));
  EXPECT_THAT(Eval("perplexity", {"--data", Written("t", "some text"), "--context", "8", "--stride", "9"}).err,
              HasSubstr("a stride of 9"));
  EXPECT_THAT(Eval("perplexity", {"--data", Written("t", "some text"), "--context", "100000"}).err,
              HasSubstr("trained for 512"));
}

// The mean over the first 8,000 characters of the sample, as it was computed elsewhere in windows of 255 ids, is
// 1.57497; here the text's last window, of 255 ids less, counts too.
TEST_F(EvalTest, PerplexityOfATrainedModelIsNearTheKnownOne) {
  ENIGMA_REQUIRE_DATA(model, "models/stories260K-f32.gguf");
  ENIGMA_REQUIRE_DATA(stories, "text/tinystories_sample_944KB.txt");
  const std::string data = Written("stories.txt", testing::ReadFileOrDie(stories).substr(0, 8000));
  const Outcome outcome =
      RunEnigma({"eval", "perplexity", "--model", model, "--data", data, "--context", "255", "--json"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NEAR(Json::parse(outcome.out).at("nll").get<double>(), 1.57497, 0.02);
}

}  // namespace
}  // namespace enigma::cli
