// What a command line may hold: every value that makes no sense is refused with a sentence that names the flag.
#include <fstream>
#include <map>
#include <regex>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "cli/command/number_rule.h"
#include "tests/support/process.h"
#include "tests/unit/cli/run_enigma.h"

namespace enigma::cli {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;
using Words = std::vector<std::string>;

TEST(NumberRuleTest, TakesDecimalDigitsWithinBoundsAndNothingElse) {
  NumberRule seed = NumberRule::For<uint64_t>();
  EXPECT_EQ(seed.Read<uint64_t>("18446744073709551615"), 18446744073709551615U);
  for (const char* text : {"", "-1", "18446744073709551616", "1.5", " 1", "1 ", "0x10", "+1", "nan", "1e3"}) {
    EXPECT_THAT(seed.Complaint<uint64_t>(text), HasSubstr("a whole number from 0 to 18446744073709551615")) << text;
  }
  NumberRule share = NumberRule::For<float>();
  share.low = 0;
  share.above = true;
  share.high = 1;
  EXPECT_EQ(share.Read<float>("0.5"), 0.5F);
  for (const char* text : {"0", "1.1", "nan", "inf", "-inf", "", "1e-400", "x"}) {
    EXPECT_THAT(share.Complaint<float>(text), HasSubstr("a number above 0 and at most 1")) << text;
  }
  NumberRule free = NumberRule::For<float>();
  EXPECT_EQ(free.Allowed(), "a number");
  free.low = 0;
  EXPECT_EQ(free.Allowed(), "a number from 0 up");
  EXPECT_FALSE(free.Read<float>("1e39"));
}

// Every numeric flag of every command, as a command line that is right but for the value.
const std::map<std::string, Words>& NumericFlags() {
  static const Words kGenerate = {"generate", "--local", "m.gguf", "Once"};
  static const Words kPlan = {"plan", "m"};
  static const Words kUp = {"up"};
  static const Words kBench = {"bench", "--model", "/proc/self/exe"};
  static const Words kTrain = {"train", "--name", "n", "--size", "nano", "--data", "/tmp/x"};
  static const Words kTune = {"train", "--name", "n", "--base", "b", "--data", "/tmp/x"};
  static const auto* const kFlags = new std::map<std::string, Words>{
      {"--max-tokens", kGenerate},
      {"--temperature", kGenerate},
      {"--top-k", kGenerate},
      {"--top-p", kGenerate},
      {"--min-p", kGenerate},
      {"--repetition-penalty", kGenerate},
      {"--frequency-penalty", kGenerate},
      {"--presence-penalty", kGenerate},
      {"--seed", kGenerate},
      {"--context", kGenerate},
      {"--threads", kGenerate},
      {"--connect-timeout", {"nodes"}},
      {"--stages", kPlan},
      {"--sequences", kPlan},
      {"--workers", kUp},
      {"--udp-port", kUp},
      {"--prompt-tokens", kBench},
      {"--generated-tokens", kBench},
      {"--repetitions", kBench},
      {"--valid-hours", {"token", "create"}},
      {"--rpm", {"keys", "create", "--name", "n"}},
      {"--tpm", {"keys", "create", "--name", "n"}},
      {"--max-concurrency", {"keys", "create", "--name", "n"}},
      {"--words", {"train-tokenizer", "--vocab-size", "300", "--data", "/tmp/x"}},
      {"--spares", {"train-tokenizer", "--vocab-size", "300", "--data", "/tmp/x"}},
      {"--steps", kTrain},
      {"--epochs", kTrain},
      {"--batch", kTrain},
      {"--slots", kTrain},
      {"--priority", kTrain},
      {"--ffn", kTrain},
      {"--vocab-size", kTrain},
      {"--lr", kTrain},
      {"--final-lr", kTrain},
      {"--warmup", kTrain},
      {"--weight-decay", kTrain},
      {"--clip", kTrain},
      {"--dropout", kTrain},
      {"--validation-share", kTrain},
      {"--validate-every", kTrain},
      {"--early-stop", kTrain},
      {"--checkpoint-every", kTrain},
      {"--checkpoint-seconds", kTrain},
      {"--keep-checkpoints", kTrain},
      {"--image-size", kTrain},
      {"--crop-side", kTrain},
      {"--lora-rank", kTune},
      {"--lora-alpha", kTune},
      {"--history", {"jobs", "watch", "1"}},
      {"--samples", {"eval", "code", "--local", "m"}},
      {"--limit", {"eval", "code", "--local", "m"}},
      {"--timeout", {"eval", "code", "--local", "m"}},
      {"--memory", {"eval", "code", "--local", "m"}},
      {"--problem-seed", {"eval", "math", "--local", "m"}},
      {"--stride", {"eval", "perplexity", "--model", "m", "--data", "t"}},
      {"--count", {"data", "scenes", "--out", "/tmp/x"}},
      {"--size", {"data", "scenes", "--out", "/tmp/x", "--count", "1"}},
  };
  return *kFlags;
}

TEST(UsageTest, ANumberThatMakesNoSenseIsRefusedWithWhatIsAllowed) {
  for (const auto& [flag, words] : NumericFlags()) {
    for (const char* value : {"", "abc", "nan", "-nan", "inf", "-99999999999999999999", "1e999", "0x10", " 1", "1,5"}) {
      Words arguments = words;
      arguments.insert(arguments.end(), {flag, value});
      const Outcome outcome = RunEnigma(arguments);
      EXPECT_EQ(outcome.status, 2) << flag << " \"" << value << "\": " << outcome.err;
      EXPECT_THAT(outcome.err, AllOf(HasSubstr(flag + ": \"" + value + "\" is not a "), HasSubstr("number")));
    }
  }
}

TEST(UsageTest, BoundsAreHeld) {
  const std::vector<Words> beyond = {
      {"generate", "--local", "m", "--max-tokens", "0", "a"},
      {"generate", "--local", "m", "--seed", "-1", "a"},
      {"generate", "--local", "m", "--seed", "18446744073709551616", "a"},
      {"generate", "--local", "m", "--temperature", "-0.1", "a"},
      {"generate", "--local", "m", "--top-p", "0", "a"},
      {"generate", "--local", "m", "--top-p", "1.01", "a"},
      {"generate", "--local", "m", "--min-p", "-0.1", "a"},
      {"generate", "--local", "m", "--repetition-penalty", "0", "a"},
      {"generate", "--local", "m", "--frequency-penalty", "2.1", "a"},
      {"generate", "--local", "m", "--presence-penalty", "-2.1", "a"},
      {"generate", "--local", "m", "--context", "0", "a"},
      {"generate", "--local", "m", "--threads", "1025", "a"},
      {"chat", "--local", "m", "--max-tokens", "0"},
      {"plan", "m", "--stages", "0"},
      {"load", "m", "--stages", "0"},
      {"load", "m", "--context", "0"},
      {"load", "m", "--sequences", "0"},
      {"load", "m", "--sequences", "4097"},
      {"up", "--workers", "65"},
      {"up", "--stages", "0"},
      {"up", "--threads", "0"},
      {"up", "--udp-port", "0"},
      {"token", "create", "--valid-hours", "0"},
      {"keys", "create", "--name", "n", "--rpm", "0"},
      {"keys", "create", "--name", "n", "--tpm", "0"},
      {"keys", "create", "--name", "n", "--max-concurrency", "0"},
      {"nodes", "--connect-timeout", "0"},
      {"bench", "--model", "/proc/self/exe", "-r", "0"},
      {"models", "synth", "--shape", "tiny", "--type", "f32", "--seed", "-1", "/nonexistent/x"},
      {"coordinator", "--heartbeat-ms", "0"},
      {"coordinator", "--silence-ms", "0"},
      {"coordinator", "--silence-ms", "399"},  // twice a heartbeat of 200 is more
      {"coordinator", "--running-max", "0"},
      {"worker", "--threads", "1025"},
      {"train", "--name", "n", "--size", "nano", "--steps", "0"},
      {"train", "--name", "n", "--size", "nano", "--lr", "0"},
      {"train", "--name", "n", "--size", "nano", "--lr", "1.1"},
      {"train", "--name", "n", "--size", "nano", "--validation-share", "0.5"},
      {"train", "--name", "n", "--size", "nano", "--vocab-size", "299"},
      {"train", "--name", "n", "--size", "nano", "--context", "7"},
      {"train", "--name", "n", "--size", "nano", "--image-size", "31"},
      {"train", "--name", "n", "--size", "nano", "--crop-side", "1.1"},
      {"data", "math", "--out", "/nonexistent/x", "--count", "0"},
      {"eval", "code", "--local", "m", "--timeout", "0"},
      {"eval", "code", "--local", "m", "--samples", "0"},
      {"eval", "code", "--local", "m", "--memory", "63"},
      {"eval", "math", "--local", "m", "--count", "0"},
      {"eval", "perplexity", "--model", "m", "--data", "t", "--context", "0"},
      {"data", "scenes", "--out", "/tmp/x", "--count", "0"},
      {"data", "scenes", "--out", "/tmp/x", "--count", "1000001"},
      {"data", "scenes", "--out", "/tmp/x", "--count", "1", "--size", "15"},
  };
  for (const Words& arguments : beyond) {
    const Outcome outcome = RunEnigma(arguments);
    EXPECT_EQ(outcome.status, 2) << ::testing::PrintToString(arguments) << outcome.err;
    const auto flag = std::find_if(arguments.begin(), arguments.end(), [](auto& word) { return word[0] == '-'; });
    EXPECT_THAT(outcome.err, HasSubstr("--")) << *flag;
  }
  EXPECT_THAT(RunEnigma({"load", "m", "--stages", "0"}).err,
              HasSubstr("--stages: \"0\" is not a whole number from 1 to 4294967295"));
}

TEST(UsageTest, TextsThatMakeNoSenseAreRefused) {
  const std::vector<std::pair<Words, std::string>> wrong = {
      {{"generate", "--local", "m", "--prompt-ids", "1,,2"}, "--prompt-ids: \"\""},
      {{"generate", "--local", "m", "--prompt-ids", "1,x"}, "--prompt-ids: \"x\""},
      {{"generate", "--local", "m", "--prompt-ids", "1,"}, "--prompt-ids"},
      {{"generate", "--local", "m", "--prompt-ids", "-1"}, "--prompt-ids"},
      {{"generate", "--local", "m", "--prompt-ids", ""}, "--prompt-ids: the value is empty"},
      {{"generate", "--local", "m", "--prompt-ids", "1", "text"}, "not both"},
      {{"generate", "--local", "m", "--logit-bias", "300", "a"}, "--logit-bias: \"300\""},
      {{"generate", "--local", "m", "--logit-bias", "1=nan", "a"}, "-100 to 100"},
      {{"generate", "--local", "m", "--logit-bias", "-1=1", "a"}, "--logit-bias"},
      {{"generate", "--local", "m", "--stop", "", "a"}, "--stop: the value is empty"},
      {{"generate", "--local", "m", "--stop", "\xff", "a"}, "--stop: the value is not UTF-8 at byte 0"},
      {{"generate", "--model", "", "a"}, "--model: the value is empty"},
      {{"generate", "--model", "\xff", "a"}, "--model: the value is not UTF-8"},
      {{"generate", "--model", "m", "--threads", "2", "a"}, "--threads goes with --local"},
      {{"chat", "--model", "m", "--context", "64"}, "--context goes with --local"},
      {{"generate", "--model"}, "--model needs a value"},
      {{"generate", "--model=", "m"}, "--model= has no value"},
      {{"generate", "--model", "a", "--model", "b", "c"}, "--model: it was given 2 times and takes one value"},
      {{"nodes", "--json=yes"}, "--json takes no value"},
      {{"nodes", "--coordinator", ""}, "--coordinator: the value is empty"},
      {{"nodes", "--coordinator", "h:99999", "--insecure"}, "--coordinator: \"h:99999\""},
      {{"nodes", "--data-dir", ""}, "--data-dir: the value is empty"},
      {{"plan", "\xff"}, "MODEL: the value is not UTF-8"},
      {{"models", "rm", ""}, "MODEL: the value is empty"},
      {{"keys", "create"}, "--name is required"},
      {{"keys", "create", "--name", ""}, "--name: the value is empty"},
      {{"keys", "create", "--name", "\xff"}, "--name: the value is not UTF-8"},
      {{"keys", "create", "--name", "a\nb"}, "--name: "},
      {{"keys", "create", "--name", std::string(65, 'n')}, "--name: it has 65 bytes"},
      {{"keys", "create", "--name", "n", "--models", "a,,b"}, "--models: \"a,,b\" has an empty name"},
      {{"keys", "create", "--name", "n", "--models", ""}, "--models: the value is empty"},
      {{"keys", "create", "--name", "n", "--expires", "30"}, "--expires: \"30\""},
      {{"keys", "create", "--name", "n", "--expires", "0d"}, "--expires: \"0d\""},
      {{"keys", "create", "--name", "n", "--expires", "-1d"}, "--expires: \"-1d\""},
      {{"keys", "create", "--name", "n", "--expires", "1.5d"}, "--expires: \"1.5d\""},
      {{"keys", "create", "--name", "n", "--expires", "3651d"}, "--expires: \"3651d\""},
      {{"keys", "create", "--name", "n", "--expires", "99999999999999999999d"}, "--expires: "},
      {{"keys", "create", "--name", "n", "--expires", "tomorrow"}, "--expires: \"tomorrow\""},
      {{"keys", "revoke"}, "KEY is required"},
      {{"train", "--size", "nano", "--data", "/tmp/x"}, "--name is missing"},
      {{"train", "--name", "n", "--data", "/tmp/x"}, "give --size or --base"},
      {{"train", "--name", "n", "--size", "nano"}, "--data is missing"},
      {{"train", "--name", "n", "--size", "giant"}, "--size: \"giant\" is none of nano, micro, tiny"},
      {{"train", "--name", "n", "--size", "nano", "--schedule", "step"}, "--schedule: \"step\" is none of"},
      {{"train", "--name", "n", "--size", "nano", "--steps", "5", "--epochs", "1"}, "--steps excludes --epochs"},
      {{"train", "--name", "n", "--size", "nano", "--base", "m"}, "--size excludes --base"},
      {{"train", "--name", "\xff", "--size", "nano"}, "--name: the value is not UTF-8"},
      {{"data", "scenes", "--count", "1"}, "--out is required"},
      {{"data", "scenes", "--out", "", "--count", "1"}, "--out: the value is empty"},
      {{"data", "scenes", "--out", "/tmp/x", "--count", "1", "--split", "all"},
       "--split: \"all\" is none of train, test"},
      {{"jobs", "watch"}, "ID is required"},
      {{"jobs", "watch", "x"}, "ID: \"x\" is not a whole number"},
      {{"jobs", "cancel"}, "ID is required"},
      {{"jobs", "resume", "-1"}, "ID"},
      {{"jobs", "rm", ""}, "ID: \"\" is not a"},
      {{"keys", "revoke", ""}, "KEY: the value is empty"},
      {{"plan", "m", "--kv-type", "f64"}, "--kv-type: \"f64\" is none of f32, f16, bf16, q8"},
      {{"bench", "--model", "/tmp"}, "--model: /tmp is a folder"},
      {{"bench", "--model", "/proc/self/exe", "-p", "0", "-n", "0"}, "nothing to measure"},
      {{"models", "synth", "--shape", "tiny", "--type", "f32", "/tmp"}, "/tmp is there and is no file"},
      {{"models", "synth", "--shape", "tiny", "--type", "f32", "/dev/null"}, "/dev/null is there and is no file"},
      {{"models", "export", "m", "--type", "q9"}, "--type: \"q9\" is none of f32, f16"},
      {{"models", "export", "m", "--out", "/tmp"}, "/tmp is there and is no file"},
      {{"models", "quantize", "a", "b"}, "--type is required"},
      {{"up", "--models-dir", ""}, "--models-dir: the value is empty"},
      {{"up", "--listen", "127.0.0.1"}, "--listen: \"127.0.0.1\" has no port"},
      {{"up", "--http", "x:y"}, "--http: \"x:y\""},
      {{"up", "--log", "loud"}, "--log: \"loud\" is none of"},
      {{"up", "--name", "a"}, "--name: 1 names for 0 model(s)"},
      {{"up", "--model", "m.gguf", "--encoder", "a.gguf", "--encoder", "b.gguf"}, "2 image encoders for 1 model(s)"},
      {{"up", "--model", "m.gguf", "--encoder", ""}, "--encoder: the value is empty"},
      {{"up", "--model", "a/m.gguf", "--model", "b/m.gguf"}, "two models would be called \"m\""},
      {{"worker", "--advertise", "h:99999"}, "--advertise: \"h:99999\""},
      {{"worker", "--seed", ":1"}, "--seed: \":1\""},
      {{"worker", "--log", "loud"}, "--log: "},
      {{"worker", "--data-dir", ""}, "--data-dir: the value is empty"},
      {{"eval"}, "a command is missing"},
      {{"eval", "code"}, "--model NAME, or a file with --local PATH"},
      {{"eval", "code", "--model", "m", "--threads", "2"}, "--threads goes with --local"},
      {{"eval", "code", "--local", "m", "--samples", "2"}, "--samples: greedy answers are all the same"},
      {{"eval", "math", "--local", "m", "--form", "poem"}, "--form: \"poem\" is none of"},
      {{"eval", "math", "--local", "m", "--kinds", "root"}, "--kinds: \"root\" is no kind"},
      {{"eval", "math", "--local", "m", "--data", "d", "--count", "3"}, "--data excludes --count"},
      {{"eval", "perplexity", "--data", "/tmp/x"}, "--model is required"},
      {{"eval", "perplexity", "--model", "/nonexistent", "--data", "/tmp/x"}, "there is no file /nonexistent"},
      {{"data"}, "a command is missing"},
      {{"data", "math"}, "--out is required"},
      {{"data", "math", "--out", "/tmp"}, "/tmp is there and is no file"},
      {{"data", "math", "--out", "/nonexistent/x", "--kinds", "sum,root"}, "--kinds: \"root\" is no kind of problem"},
      {{"data", "math", "--out", "/nonexistent/x", "--split", "dev"}, "--split: \"dev\" is none of"},
      {{"data", "code", "--out", "/nonexistent/x", "--split", "validation"}, "--split: \"validation\" is none of"},
      {{"coordinator", "--config", "/tmp"}, "/tmp: cannot be read"},
  };
  for (const auto& [arguments, message] : wrong) {
    const Outcome outcome = RunEnigma(arguments);
    EXPECT_EQ(outcome.status, 2) << ::testing::PrintToString(arguments) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(message)) << ::testing::PrintToString(arguments);
    EXPECT_EQ(outcome.out, "");
  }
}

TEST(UsageTest, AFolderIsNoTextToRead) {
  const Outcome outcome = RunEnigma({"tokenize", "--model", "/nonexistent", "--file", "/tmp"});
  EXPECT_EQ(outcome.status, 1) << outcome.err;
}

TEST(UsageTest, HelpSpeaksOfThisProgram) {
  for (const Words& words : std::vector<Words>{{}, {"up"}, {"worker"}, {"plan"}, {"generate"}, {"models", "synth"}}) {
    Words arguments = words;
    arguments.push_back("--help");
    const Outcome help = RunEnigma(arguments);
    EXPECT_EQ(help.status, 0);
    EXPECT_THAT(help.out, Not(HasSubstr("FLOAT")));
    EXPECT_THAT(help.out, Not(HasSubstr(" ...\n")));
    EXPECT_THAT(help.out, Not(HasSubstr("SUBCOMMAND")));
  }
  EXPECT_THAT(RunEnigma({"plan"}).err, HasSubstr("Try `enigma plan --help`"));
}

// The lines of README's table of commands, each command with the flags and arguments shown.
std::vector<std::string> CommandsOfReadme() {
  std::ifstream in(std::string(ENIGMA_SOURCE_DIR) + "/README.md");
  std::vector<std::string> commands;
  std::string line;
  while (std::getline(in, line)) {
    if (line.rfind("| `enigma ", 0) != 0) continue;
    const std::string cell = line.substr(0, line.find(" | ", 2));
    static const std::regex kCode("`([^`]+)`");
    for (std::sregex_iterator at(cell.begin(), cell.end(), kCode), end; at != end; ++at) {
      std::string code = (*at)[1];
      commands.push_back(code.rfind("enigma ", 0) == 0 ? code.substr(7) : code);
    }
  }
  return commands;
}

TEST(ReadmeTest, ItsTableOfCommandsIsWhatTheBinaryHas) {
  std::set<std::string> shown;
  for (const std::string& code : CommandsOfReadme()) {
    Words words;
    std::istringstream in(code);
    for (std::string word; in >> word && std::islower(static_cast<unsigned char>(word[0])) != 0;) words.push_back(word);
    ASSERT_FALSE(words.empty()) << code;
    shown.insert(words.size() > 1 ? words[0] + " " + words[1] : words[0]);
    shown.insert(words[0]);
    Words arguments = words;
    arguments.push_back("--help");
    const Outcome help = RunEnigma(arguments);
    EXPECT_EQ(help.status, 0) << code;
    std::string command = "enigma";
    for (const std::string& word : words) command += " " + word;
    EXPECT_THAT(help.out, HasSubstr("Usage: " + command + " ")) << code;
    static const std::regex kFlag("-[a-z-]+");
    for (std::sregex_iterator at(code.begin(), code.end(), kFlag), end; at != end; ++at) {
      if (at->position() > 0 && code[static_cast<size_t>(at->position()) - 1] != '[' &&
          code[static_cast<size_t>(at->position()) - 1] != ' ') {
        continue;  // a hyphen within a word
      }
      EXPECT_THAT(help.out, HasSubstr(at->str())) << code;
    }
  }
  const auto expect_all_shown = [&shown](const Words& parent) {
    Words arguments = parent;
    arguments.push_back("--help");
    const std::string help = RunEnigma(arguments).out;
    const size_t begin = help.find("\nCommands:\n");
    ASSERT_NE(begin, std::string::npos);
    std::istringstream lines(help.substr(begin + 11));
    for (std::string line; std::getline(lines, line) && line.rfind("  ", 0) == 0;) {
      if (line[2] == ' ') continue;  // the description goes on
      std::string name = line.substr(2, line.find(' ', 2) - 2);
      if (!parent.empty()) name = parent[0] + " " + name;
      if (name == "models list" || name == "keys list" || name == "jobs list")
        continue;  // another word for the command alone
      EXPECT_EQ(shown.count(name), 1U) << "README's table lacks `enigma " << name << "`";
    }
  };
  expect_all_shown({});
  expect_all_shown({"models"});
  expect_all_shown({"token"});
  expect_all_shown({"keys"});
  expect_all_shown({"jobs"});
  expect_all_shown({"data"});
  expect_all_shown({"eval"});
}

}  // namespace
}  // namespace enigma::cli
