#include "cli/input/training_text.h"

#include <filesystem>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/text.h"
#include "tests/support/process.h"

namespace enigma::cli {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

std::string Write(const std::string& path, const std::string& content) {
  std::ofstream(path, std::ios::binary) << content;
  return path;
}

// Reads what `path` names.
absl::StatusOr<std::vector<std::string>> TextsOf(const std::string& path) {
  const auto files = FindTrainingFiles({path});
  if (!files.ok()) return files.status();
  std::vector<std::string> texts;
  for (const TrainingFile& file : *files) {
    const absl::Status status =
        ReadTrainingFile(file, [&texts](std::string_view text, uint64_t) { texts.emplace_back(text); });
    if (!status.ok()) return status;
  }
  return texts;
}

TEST(TrainingText, FindsTheTextsOfAFolderByName) {
  const testing::TemporaryDirectory folder;
  std::filesystem::create_directories(folder.path() + "/b/c");
  Write(folder.path() + "/z.txt", "z");
  Write(folder.path() + "/b/c/y.MD", "yy");
  Write(folder.path() + "/a.jsonl", "");
  Write(folder.path() + "/b/ignored.bin", "x");
  const auto files = FindTrainingFiles({folder.path(), folder.path() + "/b/ignored.bin"});
  ASSERT_TRUE(files.ok()) << files.status();
  std::vector<std::string> found;
  for (const TrainingFile& file : *files) {
    found.push_back(file.path.substr(folder.path().size()) + (file.json_lines ? "*" : ""));
  }
  EXPECT_THAT(found, ElementsAre("/a.jsonl*", "/b/c/y.MD", "/z.txt", "/b/ignored.bin"));
  EXPECT_EQ((*files)[1].bytes, 2u);
}

TEST(TrainingText, TakesTheStringsOfJsonLines) {
  const testing::TemporaryDirectory folder;
  const auto texts = TextsOf(Write(folder.path() + "/a.jsonl",
                                   R"({"id": "skipped", "text": "one"})"
                                   "\r\n\n  \n"
                                   R"({"completion": "three", "prompt": "t\u0077o", "n": 1})"
                                   "\n"
                                   R"({"messages": [{"role": "user", "content": [{"type": "text", "text": "hi"}]}]})"
                                   "\n"
                                   R"({"question": "q", "deep": {"answer": "a", "n": null}})"));
  ASSERT_TRUE(texts.ok()) << texts.status();
  EXPECT_THAT(*texts, ElementsAre("one", "two", "three", "user", "text", "hi", "q", "a"));
}

TEST(TrainingText, NamesTheLineOfWhatIsNoObject) {
  const testing::TemporaryDirectory folder;
  for (const char* line : {"[1]", "\"text\"", "{\"text\": \"a\"", "{\"text\": \"\\ud800\"}", "text"}) {
    const auto texts = TextsOf(Write(folder.path() + "/a.jsonl", std::string("{}\n") + line + "\n{}\n"));
    EXPECT_THAT(ToString(texts.status().message()), HasSubstr("a.jsonl, line 2: this is no JSON object")) << line;
  }
}

TEST(TrainingText, CutsLongTextOnlyWhereNoWordIs) {
  const testing::TemporaryDirectory folder;
  std::string text;
  while (text.size() < (20U << 20)) text += "A sentence of some words.\n\n\n  indented\nand more\n\n";
  const auto texts = TextsOf(Write(folder.path() + "/a.txt", text));
  ASSERT_TRUE(texts.ok()) << texts.status();
  ASSERT_GT(texts->size(), 2u);
  std::string joined;
  for (const std::string& part : *texts) {
    if (!joined.empty()) {
      EXPECT_EQ(part.substr(0, 8), "and more");
      EXPECT_EQ(joined.substr(joined.size() - 9), "indented\n");
    }
    joined += part;
  }
  EXPECT_TRUE(joined == text);
}

TEST(TrainingText, CountsLinesOverParts) {
  const testing::TemporaryDirectory folder;
  std::string text;
  for (int line = 1; line < 1'000'000; ++line) text += "line of text\n";
  const auto texts = TextsOf(Write(folder.path() + "/a.txt", text + "\xC3(\n"));
  EXPECT_THAT(ToString(texts.status().message()), HasSubstr("a.txt, line 1000000: the byte 0xC3 is not UTF-8"));
  std::string lines;
  for (int line = 1; line < 800'000; ++line) lines += "{\"text\":\"a\"}\n";
  const auto objects = TextsOf(Write(folder.path() + "/a.jsonl", lines + "oops"));
  EXPECT_THAT(ToString(objects.status().message()), HasSubstr("a.jsonl, line 800000: "));
}

TEST(TrainingText, ReadsAFileWithoutLineEnds) {
  const testing::TemporaryDirectory folder;
  const std::string text(std::size_t{9} << 20, 'a');
  const auto texts = TextsOf(Write(folder.path() + "/a.txt", text));
  ASSERT_TRUE(texts.ok()) << texts.status();
  ASSERT_EQ(texts->size(), 1u);
  EXPECT_TRUE(texts->front() == text);
}

}  // namespace
}  // namespace enigma::cli
