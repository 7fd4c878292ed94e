// `enigma train-tokenizer`, and what other commands make of its file.
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "tests/support/process.h"
#include "tests/support/test_data.h"
#include "tests/unit/cli/run_enigma.h"

namespace enigma::cli {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class TrainTokenizerTest : public ::testing::Test {
 protected:
  std::string Path(const std::string& name) const { return folder_.path() + "/" + name; }
  std::string Written(const std::string& name, const std::string& content) const {
    std::filesystem::create_directories(std::filesystem::path(Path(name)).parent_path());
    std::ofstream(Path(name), std::ios::binary) << content;
    return Path(name);
  }
  Outcome Train(std::vector<std::string> arguments, const std::string& vocab_size = "300") const {
    arguments.insert(arguments.begin(), {"train-tokenizer", "--vocab-size", vocab_size, "--output", Path("t.gguf")});
    return RunEnigma(arguments);
  }
  std::vector<int> Ids(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), {"tokenize", "--model", Path("t.gguf"), "--json"});
    const Outcome outcome = RunEnigma(arguments);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return nlohmann::json::parse(outcome.out).at("ids").get<std::vector<int>>();
  }
  std::vector<std::string> Names() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_.path())) {
      names.push_back(entry.path().filename().string());
    }
    return names;
  }

  testing::TemporaryDirectory folder_;
};

TEST_F(TrainTokenizerTest, WritesAVocabularyThatTokenizeReads) {
  const std::string data = Written("data.txt", "the cat and the cat and the cat<|endoftext|>the mat 2024 2024\n");
  const Outcome outcome = Train({"--data", data, "--special", "<|label|>", "--spares", "2", "--json"}, "280");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto json = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(json.at("vocab_size"), json.at("merges").get<int>() + 256 + 7);
  EXPECT_EQ(json.at("special_tokens"), 7);
  EXPECT_EQ(json.at("pre"), "qwen2");
  EXPECT_EQ(json.at("bytes"), 62);
  // "the", " cat", " and", " the" are tokens by then; a special token is one.
  const int vocab_size = json.at("vocab_size");
  EXPECT_EQ(Ids({"--text", " the cat"}).size(), 2u);
  EXPECT_EQ(Ids({"--text", "2024"}).size(), 4u);
  EXPECT_THAT(Ids({"--text", "<|label|><|spare_1|>", "--parse-special"}), ElementsAre(vocab_size - 3, vocab_size - 1));
  EXPECT_THAT(Ids({"--text", "", "--add-special"}), ElementsAre(vocab_size - 7)) << "BOS";
  EXPECT_EQ(
      Ids({"--text", "the cat and the cat and the cat<|endoftext|>the mat 2024 2024\n", "--parse-special"}).size(),
      json.at("tokens").get<size_t>());
  const Outcome inspect = RunEnigma({"models", "inspect", Path("t.gguf"), "--json"});
  ASSERT_EQ(inspect.status, 0) << inspect.err;
  EXPECT_FALSE(nlohmann::json::parse(inspect.out).at("runnable").get<bool>());
}

TEST_F(TrainTokenizerTest, WritesCharactersAndWords) {
  const std::string data = Written("data.txt", "the cat, the cat, the café\n");
  const Outcome outcome = Train({"--data", data, "--kind", "char", "--words", "2", "--no-bos"}, "1000");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.out, AllOf(HasSubstr("279 tokens (char, tekken)"), HasSubstr("bytes per token")));
  EXPECT_EQ(outcome.err, "") << "smaller, but as asked";
  EXPECT_EQ(Ids({"--text", "a cat"}).size(), 2u);
  EXPECT_EQ(Ids({"--text", "a café", "--add-special"}).size(), 6u);
  const Outcome short_of_words = Train({"--data", data, "--kind", "char", "--words", "700", "--force"}, "1000");
  ASSERT_EQ(short_of_words.status, 0) << short_of_words.err;
  EXPECT_THAT(short_of_words.err, HasSubstr("no more than these 279 of the 1000"));
}

TEST_F(TrainTokenizerTest, KeepsAFileThatIsThereUnlessForced) {
  const std::string data = Written("data.txt", "a b c a b c");
  Written("t.gguf", "precious");
  const Outcome kept = Train({"--data", data});
  EXPECT_EQ(kept.status, 1);
  EXPECT_THAT(kept.err, AllOf(HasSubstr("t.gguf is there already"), HasSubstr("--force")));
  EXPECT_EQ(testing::ReadFileOrDie(Path("t.gguf")), "precious");
  // What fails leaves the old file and no new one.
  const std::string bad = Written("bad.txt", "\xFF");
  EXPECT_EQ(Train({"--data", bad, "--force"}).status, 1);
  EXPECT_EQ(testing::ReadFileOrDie(Path("t.gguf")), "precious");
  EXPECT_EQ(Names().size(), 3u);
  EXPECT_EQ(Train({"--data", data, "--force"}).status, 0);
  EXPECT_FALSE(Ids({"--text", "a"}).empty());
  const Outcome folder =
      RunEnigma({"train-tokenizer", "--vocab-size", "300", "--data", data, "--force", "--output", folder_.path()});
  EXPECT_EQ(folder.status, 2);
  EXPECT_THAT(folder.err, HasSubstr("is there and is no file"));
}

TEST_F(TrainTokenizerTest, GivesTheSameFileForTheSameData) {
  const std::string data =
      Written("data.txt", "Once upon a time there was a little cat. The little cat was once a time.");
  ASSERT_EQ(Train({"--data", data}).status, 0);
  const std::string first = testing::ReadFileOrDie(Path("t.gguf"));
  ASSERT_EQ(Train({"--data", data, "--force"}).status, 0);
  EXPECT_TRUE(testing::ReadFileOrDie(Path("t.gguf")) == first);
}

TEST_F(TrainTokenizerTest, NamesWhatIsWrong) {
  const std::string data = Written("data.txt", "a b c\n");
  const std::string empty = Written("empty.txt", "");
  const std::string latin = Written("latin.txt", "one\ntwo\ncaf\xE9\n");
  const std::string broken = Written("broken.jsonl", "{\"text\": \"a\"}\n\n{\"text\": \n");
  std::filesystem::create_directories(Path("folder"));
  const struct {
    std::vector<std::string> arguments;
    std::string vocab_size;
    int status;
    std::string message;
  } cases[] = {
      {{"--data", data}, "275", 2, "256 bytes and 20 special tokens need 276"},
      {{"--data", data}, "10", 2, "--vocab-size: \"10\" is not a whole number from 256"},
      {{"--data", data, "--kind", "words"}, "300", 2, "--kind: \"words\" is none of bpe, char"},
      {{"--data", data, "--words", "3"}, "300", 2, "--words goes with --kind char"},
      {{"--data", data, "--pre", "nonsense"}, "300", 2, "'nonsense' is not known; known: "},
      {{"--data", data, "--special", "<|pad|>"}, "300", 2, "'<|pad|>' comes twice"},
      {{"--data", data, "--special", ""}, "300", 2, "--special: the value is empty"},
      {{"--data", Path("nowhere")}, "300", 1, "there is no file or folder " + Path("nowhere")},
      {{"--data", Path("folder")}, "300", 1, "no .txt, .md or .jsonl file"},
      {{"--data", "/dev/null"}, "300", 1, "/dev/null is neither a file nor a folder"},
      {{"--data", empty}, "300", 1, "the data hold no text"},
      {{"--data", latin}, "300", 1, latin + ", line 3: the byte 0xE9 is not UTF-8"},
      {{"--data", broken}, "300", 1, broken + ", line 3: this is no JSON object"},
      {{"--data", data, "--kind", "char", "--words", "100"}, "300", 1, "100 words need 356"},
  };
  for (const auto& c : cases) {
    const Outcome outcome = Train(c.arguments, c.vocab_size);
    EXPECT_EQ(outcome.status, c.status) << c.message << "\n" << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr(c.message));
    EXPECT_EQ(outcome.out, "");
    EXPECT_FALSE(std::filesystem::exists(Path("t.gguf"))) << c.message;
  }
  EXPECT_EQ(RunEnigma({"train-tokenizer", "--vocab-size", "300"}).status, 2);
  EXPECT_EQ(RunEnigma({"train-tokenizer", "--data", data}).status, 2);
}

TEST_F(TrainTokenizerTest, LearnsFromStories) {
  ENIGMA_REQUIRE_DATA(stories, "text/tinystories_sample_944KB.txt");
  const Outcome outcome = Train({"--data", stories, "--chat-template", "--json"}, "1024");
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto json = nlohmann::json::parse(outcome.out);
  EXPECT_EQ(json.at("vocab_size"), 1024);
  EXPECT_GT(json.at("bytes_per_token").get<double>(), 3.0);
  EXPECT_LE(Ids({"--text", "Once upon a time"}).size(), 4u);
}

}  // namespace
}  // namespace enigma::cli
