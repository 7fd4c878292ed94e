#include <chrono>
#include <filesystem>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/process.h"
#include "tests/support/test_data.h"
#include "tests/unit/cli/run_enigma.h"

namespace enigma::cli {
namespace {

using ::testing::HasSubstr;

TEST(CommandLineTest, VersionAndHelpSucceedOnStdout) {
  EXPECT_EQ(RunEnigma({"--version"}).status, 0);
  EXPECT_THAT(RunEnigma({"--version"}).out, HasSubstr("enigma "));
  const Outcome help = RunEnigma({"--help"});
  EXPECT_EQ(help.status, 0);
  for (const char* command : {"up", "coordinator", "worker", "nodes", "models", "plan", "load", "unload", "generate",
                              "chat", "tokenize", "bench", "token", "keys", "doctor"}) {
    EXPECT_THAT(help.out, HasSubstr(std::string("\n  ") + command));
    EXPECT_EQ(RunEnigma({command, "--help"}).status, 0) << command;
  }
}

TEST(CommandLineTest, WrongUsageIsStatusTwoOnStderr) {
  const std::vector<std::vector<std::string>> wrong = {
      {},
      {"no-such-command"},
      {"generate", "--no-such-flag"},
      {"eval", "math"},                                       // neither --model nor --local
      {"generate", "--model", "m", "--local", "p", "hello"},  // both
      {"generate", "--local", "p", "--max-tokens", "many", "hello"},
      {"tokenize", "--text", "a"},
      {"models", "synth", "--shape", "no-such-shape", "--type", "q8_0", "x.gguf"},
      {"token"},
      {"up", "--workers", "0"},
      {"bench", "--model", "/nonexistent.gguf"},
      {"worker", "--udp-port", "70000"},
      {"worker", "--udp-port", "1", "--udp-port", "2"},
      {"models", "--data-dir", "/tmp", "rm", "m"},  // the flag would have no effect
      {"worker", "--config", "/nonexistent.yaml"},
  };
  for (const auto& arguments : wrong) {
    const Outcome outcome = RunEnigma(arguments);
    EXPECT_EQ(outcome.status, 2) << ::testing::PrintToString(arguments) << outcome.err;
    EXPECT_EQ(outcome.out, "") << ::testing::PrintToString(arguments);
    EXPECT_THAT(outcome.err, HasSubstr("enigma: ")) << ::testing::PrintToString(arguments);
  }
  EXPECT_THAT(RunEnigma({"no-such-command"}).err, HasSubstr("\"no-such-command\""));
}

TEST(CommandLineTest, WithoutAClusterCommandsSayHowToStartOne) {
  const testing::TemporaryDirectory directory;
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"nodes"},
                                             {"models"},
                                             {"plan", "m"},
                                             {"load", "m"},
                                             {"generate", "--model", "m", "hi"},
                                             {"token", "create"},
                                             {"keys"},
                                             {"keys", "create", "--name", "n"},
                                             {"keys", "revoke", "n"}}) {
    std::vector<std::string> arguments = command;
    arguments.insert(arguments.end(), {"--data-dir", directory.path()});
    const Outcome outcome = RunEnigma(arguments);
    EXPECT_EQ(outcome.status, 1) << command[0];
    EXPECT_THAT(outcome.err, HasSubstr("enigma up")) << command[0];
    EXPECT_EQ(outcome.out, "") << command[0];
  }
}

TEST(CommandLineTest, ACoordinatorThatIsGoneIsNamed) {
  const auto started = std::chrono::steady_clock::now();
  const Outcome outcome =
      RunEnigma({"nodes", "--coordinator", "127.0.0.1:1", "--insecure", "--connect-timeout", "120"});
  EXPECT_EQ(outcome.status, 1);
  EXPECT_THAT(outcome.err, HasSubstr("no coordinator answers at 127.0.0.1:1"));
  EXPECT_LT(std::chrono::steady_clock::now() - started, std::chrono::seconds(60)) << "a refusal is not waited out";
}

TEST(CommandLineTest, GenerateLocallyGivesTheFieldsOfTheDesign) {
  ENIGMA_REQUIRE_DATA(model, "models/stories260K-f32.gguf");
  const Outcome outcome =
      RunEnigma({"generate", "--local", model, "--max-tokens", "8", "--threads", "1", "--json", "Once upon a time"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto json = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(json.at("model"), "stories260K-f32");
  EXPECT_EQ(json.at("prompt_ids"), (std::vector<int>{1, 403, 407, 261, 378}));
  EXPECT_EQ(json.at("ids").size(), 8U);
  EXPECT_EQ(json.at("finish_reason"), "length");
  EXPECT_GT(json.at("timing").at("total_seconds").get<double>(), 0);
  const Outcome streamed =
      RunEnigma({"generate", "--local", model, "--max-tokens", "8", "--threads", "1", "Once upon a time"});
  EXPECT_EQ(streamed.out, json.at("text").get<std::string>() + "\n");
  // Prompt ids are taken as they are.
  const Outcome by_ids = RunEnigma({"generate", "--local", model, "--max-tokens", "8", "--threads", "1", "--json",
                                    "--prompt-ids", "1,403,407,261,378"});
  ASSERT_EQ(by_ids.status, 0) << by_ids.err;
  EXPECT_EQ(nlohmann::json::parse(by_ids.out).at("ids"), json.at("ids"));
}

TEST(CommandLineTest, WithoutATemplateGenerateContinuesAndSaysSoAndChatDeclines) {
  ENIGMA_REQUIRE_DATA(model, "models/stories260K-f32.gguf");
  std::vector<std::string> generate = {"generate", "--local", model, "--max-tokens", "4", "--threads", "1", "Once"};
  const Outcome plain = RunEnigma(generate);
  EXPECT_EQ(plain.status, 0);
  EXPECT_THAT(plain.err, HasSubstr("no chat template"));
  generate.insert(generate.begin() + 1, "--raw");
  const Outcome raw = RunEnigma(generate);
  EXPECT_EQ(raw.out, plain.out);
  EXPECT_EQ(raw.err, "");
  const Outcome chat = RunEnigma({"chat", "--local", model, "--threads", "1"});
  EXPECT_EQ(chat.status, 1);
  EXPECT_THAT(chat.err, AllOf(HasSubstr("no chat template"), HasSubstr("enigma chat --raw")));
  EXPECT_EQ(RunEnigma({"chat", "--local", model, "--raw", "--system", "Be brief."}).status, 2);
}

TEST(CommandLineTest, TheSameSeedGivesTheSameAnswerAndAnotherOneDiffers) {
  ENIGMA_REQUIRE_DATA(model, "models/stories260K-f32.gguf");
  const auto answer = [&model](const std::string& seed) {
    return RunEnigma({"generate", "--local", model, "--max-tokens", "32", "--temperature", "1", "--seed", seed,
                      "--threads", "1", "Once"})
        .out;
  };
  EXPECT_EQ(answer("7"), answer("7"));
  EXPECT_NE(answer("7"), answer("8"));
}

TEST(CommandLineTest, StopTextAndLogitBiasReachTheSampler) {
  ENIGMA_REQUIRE_DATA(model, "models/stories260K-f32.gguf");
  const Outcome stopped = RunEnigma({"generate", "--local", model, "--max-tokens", "64", "--stop", "little", "--json",
                                     "--threads", "1", "Once upon a time"});
  ASSERT_EQ(stopped.status, 0) << stopped.err;
  const auto json = nlohmann::json::parse(stopped.out);
  EXPECT_EQ(json.at("finish_reason"), "stop");
  EXPECT_THAT(json.at("text").get<std::string>(), Not(HasSubstr("little")));
  const Outcome biased = RunEnigma({"generate", "--local", model, "--max-tokens", "3", "--logit-bias", "300=100",
                                    "--json", "--threads", "1", "Once"});
  ASSERT_EQ(biased.status, 0) << biased.err;
  EXPECT_EQ(nlohmann::json::parse(biased.out).at("ids"), (std::vector<int>{300, 300, 300}));
}

TEST(CommandLineTest, TokenizeAndInspectReadAVocabularyOnlyFile) {
  ENIGMA_REQUIRE_DATA(model, "tokenizers/ggml-vocab-gpt-2.gguf");
  const Outcome tokens = RunEnigma({"tokenize", "--model", model, "--text", "Hello world", "--json"});
  ASSERT_EQ(tokens.status, 0) << tokens.err;
  EXPECT_EQ(nlohmann::json::parse(tokens.out).at("ids"), (std::vector<int>{15496, 995}));
  EXPECT_EQ(RunEnigma({"tokenize", "--model", model, "--text", "Hello world"}).out, "15496 995\n");
  const Outcome inspect = RunEnigma({"models", "inspect", model, "--json"});
  ASSERT_EQ(inspect.status, 0) << inspect.err;
  const auto json = nlohmann::json::parse(inspect.out);
  EXPECT_FALSE(json.at("runnable").get<bool>());
  EXPECT_NE(json.at("not_runnable_because"), "");
}

TEST(CommandLineTest, ASynthesisedModelIsInspectedAndRun) {
  const testing::TemporaryDirectory directory;
  const std::string path = directory.path() + "/m.gguf";
  const Outcome synth = RunEnigma({"models", "synth", "--shape", "27m", "--type", "q4_0", "--json", path});
  ASSERT_EQ(synth.status, 0) << synth.err;
  EXPECT_EQ(nlohmann::json::parse(synth.out).at("bytes").get<uint64_t>(), std::filesystem::file_size(path));
  const Outcome inspect = RunEnigma({"models", "inspect", "--tensors", "--json", path});
  ASSERT_EQ(inspect.status, 0) << inspect.err;
  const auto json = nlohmann::json::parse(inspect.out);
  EXPECT_TRUE(json.at("runnable").get<bool>());
  EXPECT_EQ(json.at("tensors").size(), json.at("tensor_count").get<size_t>());
  const Outcome bench = RunEnigma({"bench", "--model", path, "-p", "8", "-n", "4", "-t", "1", "-r", "2", "--json"});
  ASSERT_EQ(bench.status, 0) << bench.err;
  const auto speed = nlohmann::json::parse(bench.out);
  EXPECT_GT(speed.at("prefill_tps").at("median").get<double>(), 0);
  EXPECT_GT(speed.at("decode_tps").at("median").get<double>(), 0);
}

}  // namespace
}  // namespace enigma::cli
