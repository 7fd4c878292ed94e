#include "engine/corpus/document_reader.h"

#include <memory>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/unit/engine/text/small_vocabularies.h"

namespace enigma::engine {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::SmallTokenizer;

struct ReadText {
  absl::Status status;
  ReaderCounts counts;
  std::vector<Document> documents;

  // Each document's text, what is to be learned in angle brackets.
  std::vector<std::string> Marked() const {
    std::vector<std::string> marked;
    for (const Document& document : documents) {
      marked.emplace_back();
      for (const Segment& segment : document.segments) {
        marked.back() += segment.trained ? "<" + segment.text + ">" : segment.text;
      }
    }
    return marked;
  }
  std::vector<uint64_t> Lines() const {
    std::vector<uint64_t> lines;
    for (const Document& document : documents) lines.push_back(document.line);
    return lines;
  }
};

ReadText ReadBytes(const std::string& name, std::string_view bytes, const ReaderOptions& options = {}) {
  ReadText read;
  const auto counts = ReadDocuments({name, bytes}, 7, options, SmallTokenizer(), nullptr, read.documents);
  read.status = counts.status();
  if (counts.ok()) read.counts = *counts;
  for (const Document& document : read.documents) EXPECT_EQ(document.file, 7u);
  return read;
}

std::string ErrorOf(const std::string& name, std::string_view bytes, const ReaderOptions& options = {}) {
  const ReadText read = ReadBytes(name, bytes, options);
  EXPECT_TRUE(absl::IsInvalidArgument(read.status)) << read.status;
  return std::string(read.status.message());
}

TEST(DocumentReaderTest, PlainTextIsOneDocument) {
  const ReadText read = ReadBytes("a.txt", "\n  \n  Once upon a time.\r\n\r\nThe end.  \n\n");
  EXPECT_THAT(read.Marked(), ElementsAre("<  Once upon a time.\n\nThe end.>"));
  EXPECT_THAT(read.Lines(), ElementsAre(3));
  EXPECT_EQ(read.counts.format, CorpusFormat::kText);
  EXPECT_EQ(read.counts.lines, 2u);
  EXPECT_EQ(read.counts.documents, 1u);
}

TEST(DocumentReaderTest, ASeparatorLineEndsADocument) {
  const ReadText read =
      ReadBytes("a.md", "\xEF\xBB\xBFone\n<|endoftext|>\n<|endoftext|>\r\n\ntwo <|endoftext|>\nmore\n<|endoftext|>");
  EXPECT_THAT(read.Marked(), ElementsAre("<one>", "<two <|endoftext|>\nmore>"));
  EXPECT_THAT(read.Lines(), ElementsAre(1, 5));
}

TEST(DocumentReaderTest, LongTextIsCutBetweenParagraphs) {
  std::string text;
  for (int i = 0; i < 40; ++i) text += "A paragraph of words, number " + std::to_string(i) + ".\n\n";
  const ReadText read = ReadBytes("a.txt", text, {.part_bytes = 200});
  ASSERT_GT(read.documents.size(), 5u);
  std::string joined;
  for (size_t i = 0; i < read.documents.size(); ++i) {
    const Document& part = read.documents[i];
    EXPECT_EQ(part.is_beginning, i == 0);
    EXPECT_EQ(part.is_end, i + 1 == read.documents.size());
    EXPECT_TRUE(part.Text().starts_with("A paragraph")) << part.Text();
    EXPECT_LE(part.Text().size(), 300u);
    joined += part.Text();
  }
  EXPECT_EQ(joined + "\n\n", text);
  EXPECT_EQ(read.documents[1].line, 2 * std::stoul(read.documents[1].Text().substr(29)) + 1);
  EXPECT_EQ(ReadBytes("a.txt", text, {.part_bytes = 0}).documents.size(), 1u);
}

TEST(DocumentReaderTest, NoPartIsTinyBecauseAParagraphEndsThere) {
  std::string text = "A title\n\n";
  for (int i = 0; i < 100; ++i) text += "one of many lines\n";
  const ReadText read = ReadBytes("a.txt", text, {.part_bytes = 200});
  for (const Document& part : read.documents) {
    EXPECT_GE(part.Text().size(), 100u) << part.line;
    EXPECT_TRUE(part.is_end || part.Text().ends_with('\n'));
  }
}

TEST(DocumentReaderTest, TextWithoutAPlaceToCutIsCutBetweenCharacters) {
  std::string text;
  for (int i = 0; i < 100; ++i) text += "é";
  for (const size_t part_bytes : {1u, 3u, 50u}) {
    const ReadText read = ReadBytes("a.txt", text, {.part_bytes = part_bytes});
    std::string joined;
    for (const Document& part : read.documents) {
      EXPECT_EQ(part.Text().size() % 2, 0u);
      joined += part.Text();
    }
    EXPECT_EQ(joined, text);
    EXPECT_GT(read.documents.size(), 2u);
  }
}

TEST(DocumentReaderTest, Pairs) {
  const ReadText read =
      ReadBytes("pairs.txt",
                "\nQ: What is  it? \nA: A lamp.\nIt glows.\n\nReally.\n\nQ:Turn it on\nplease\nA:[E:lamp]on\n"
                "<|endoftext|>\nQ: a\nA: b");
  EXPECT_THAT(read.Marked(), ElementsAre("Q: What is  it?\nA:< A lamp.\nIt glows.\n\nReally.>",
                                         "Q: Turn it on\nplease\nA:< [E:lamp]on>", "Q: a\nA:< b>"));
  EXPECT_THAT(read.Lines(), ElementsAre(2, 8, 12));
  EXPECT_EQ(read.counts.format, CorpusFormat::kQuestions);
  EXPECT_EQ(read.counts.tool_answers, 1u);
  EXPECT_EQ(read.counts.questions, read.counts.documents);
  EXPECT_EQ(read.documents[0].kind, DocumentKind::kPair);
}

TEST(DocumentReaderTest, Records) {
  const ReadText read = ReadBytes("r.jsonl", R"({"text": "Running\ntext é", "id": 3})"
                                             "\n\r\n"
                                             R"({"prompt": "1 + 1 =", "completion": " 2"})"
                                             "\r\n"
                                             R"({"answer": "Because.", "question": "Why?"})");
  EXPECT_THAT(read.Marked(), ElementsAre("<Running\ntext é>", "1 + 1 =< 2>", "Q: Why?\nA:< Because.>"));
  EXPECT_THAT(read.Lines(), ElementsAre(1, 3, 4));
  EXPECT_EQ(read.documents[0].kind, DocumentKind::kText);
  EXPECT_EQ(read.documents[1].kind, DocumentKind::kPair);
  EXPECT_EQ(read.counts.glued_pairs, 0u);
  EXPECT_EQ(ReadBytes("r.jsonl", R"({"prompt": "1 + 1 =", "completion": "2"})").counts.glued_pairs, 1u);
  EXPECT_EQ(ReadBytes("r.jsonl", R"({"prompt": "", "completion": "2"})").counts.glued_pairs, 0u);
}

TEST(DocumentReaderTest, FormatIsFoundByNameThenContent) {
  EXPECT_EQ(ReadBytes("a.txt", "\n\nQ: a\nA: b").counts.format, CorpusFormat::kQuestions);
  EXPECT_EQ(ReadBytes("a.txt", " Q: a\nA: b").counts.format, CorpusFormat::kText);
  EXPECT_EQ(ReadBytes("noname", R"({"text": "a"})").counts.format, CorpusFormat::kJsonLines);
  EXPECT_EQ(ReadBytes("a.txt", R"({"other": "a"})").counts.format, CorpusFormat::kText);
  EXPECT_EQ(ReadBytes("a.txt", "{ not JSON").counts.format, CorpusFormat::kText);
  EXPECT_EQ(ReadBytes("A.JSONL", R"({"text": "a"})").counts.format, CorpusFormat::kJsonLines);
  EXPECT_EQ(ReadBytes("a.jsonl", "plain", {.format = CorpusFormat::kText}).counts.format, CorpusFormat::kText);
  for (const CorpusFormat format :
       {CorpusFormat::kAuto, CorpusFormat::kText, CorpusFormat::kQuestions, CorpusFormat::kJsonLines}) {
    EXPECT_EQ(ParseCorpusFormat(NameOf(format)).value(), format);
  }
  EXPECT_THAT(ParseCorpusFormat("csv").status().message(), HasSubstr("use auto, text, qa, jsonl or labels"));
}

TEST(DocumentReaderTest, ErrorsOfFiles) {
  EXPECT_EQ(ErrorOf("a.txt", ""), "a.txt: the file is empty; fill it, or leave it out");
  EXPECT_THAT(ErrorOf("a.txt", "\xEF\xBB\xBF"), HasSubstr("the file is empty"));
  EXPECT_THAT(ErrorOf("a.txt", " \n\n"), HasSubstr("a.txt:1: the file holds no document"));
  EXPECT_THAT(ErrorOf("a.jsonl", "\n"), HasSubstr("a.jsonl:1: the file holds no document"));
  EXPECT_THAT(ErrorOf("a.txt", "one\ntw\xE9o\n"), HasSubstr("a.txt:2: byte 3 of the line (0xE9) is no UTF-8"));
  EXPECT_THAT(ErrorOf("a.txt", "\xFF\xFE"), HasSubstr("a.txt:1: byte 1 of the line (0xFF)"));
  EXPECT_THAT(ErrorOf("a.txt", "ends in a half \xC3"), HasSubstr("a.txt:1: byte 16 of the line (0xC3)"));
  EXPECT_THAT(ErrorOf("a.txt", std::string_view("one\n\0two", 8)), HasSubstr("a.txt:2: byte 1 of the line (0x00)"));
  for (const char* name : {"a.txt", "a.jsonl"}) {
    EXPECT_THAT(ErrorOf(name, "\n" + std::string(100, ' ') + "\n", {.line_bytes_max = 99}),
                HasSubstr(std::string(name) + ":2: the line has 100 bytes; at most 99 are read"));
  }
}

TEST(DocumentReaderTest, ErrorsOfPairs) {
  const ReaderOptions qa = {.format = CorpusFormat::kQuestions};
  EXPECT_THAT(ErrorOf("q.txt", "Q: a\nA: b\n\nQ: c\n\n"), HasSubstr("q.txt:4: the question has no answer"));
  EXPECT_THAT(ErrorOf("q.txt", "Q: a\nQ: c\nA: d"), HasSubstr("q.txt:1: the question has no answer"));
  EXPECT_THAT(ErrorOf("q.txt", "Q: a\nA: \n\nQ: c\nA: d"), HasSubstr("q.txt:1: the answer is empty"));
  EXPECT_THAT(ErrorOf("q.txt", "Q: \nA: d"), HasSubstr("q.txt:1: the question is empty"));
  EXPECT_THAT(ErrorOf("q.txt", "Q: a\nA: d\nA: e"), HasSubstr("q.txt:3: a second answer"));
  EXPECT_THAT(ErrorOf("q.txt", "Q: a\nA: [E:lamp on"), HasSubstr("q.txt:1: the answer begins with '[E:' but"));
  EXPECT_THAT(ErrorOf("q.txt", "Q: a\nA: [E:]on"), HasSubstr("names no tool"));
  EXPECT_THAT(ErrorOf("q.txt", "hello\nQ: a\nA: b", qa), HasSubstr("q.txt:1: a line outside of any pair"));
  EXPECT_THAT(ErrorOf("q.txt", "A: a", qa), HasSubstr("q.txt:1: a line outside of any pair"));
  EXPECT_THAT(ErrorOf("q.txt", "Q: a\nA: b\n<|endoftext|>\nmore"), HasSubstr("q.txt:4: a line outside"));
}

TEST(DocumentReaderTest, ErrorsOfRecords) {
  const auto second = [](const std::string& line) { return ErrorOf("r.jsonl", "{\"text\": \"a\"}\n" + line); };
  EXPECT_THAT(second("{\"text\": \"a\""), HasSubstr("r.jsonl:2: is no JSON object: "));
  EXPECT_THAT(second("{\"text\": \"\\ud800\"}"), HasSubstr("r.jsonl:2: is no JSON object: "));
  EXPECT_THAT(second("{"), HasSubstr("one object per line"));
  EXPECT_THAT(second("[{\"text\": 1}]"), HasSubstr("r.jsonl:2: is a JSON list; write its objects one per line"));
  EXPECT_THAT(second("12"), HasSubstr("r.jsonl:2: is a JSON number"));
  EXPECT_THAT(second("{\"txt\": \"a\", \"n\": 1}"), HasSubstr("r.jsonl:2: has none of the fields 'text', "));
  EXPECT_THAT(second("{\"txt\": \"a\", \"n\": 1}"), HasSubstr("it has txt, n"));
  EXPECT_THAT(second("{}"), HasSubstr("has none of the fields"));
  EXPECT_THAT(second("{\"text\": 3}"), HasSubstr("r.jsonl:2: 'text' must be a string, not number"));
  EXPECT_THAT(second("{\"prompt\": \"a\"}"), HasSubstr("r.jsonl:2: has no 'completion'"));
  EXPECT_THAT(second("{\"completion\": \"a\"}"), HasSubstr("r.jsonl:2: has no 'prompt'"));
  EXPECT_THAT(second("{\"prompt\": \"a\", \"completion\": [1]}"),
              HasSubstr("'completion' must be a string, not array"));
  EXPECT_THAT(second("{\"prompt\": \"a\", \"completion\": \" \"}"), HasSubstr("the completion is empty"));
  EXPECT_THAT(second("{\"question\": \"\", \"answer\": \"b\"}"), HasSubstr("the question is empty"));
  EXPECT_THAT(second("{\"answer\": \"a\", \"text\": \"b\"}"), HasSubstr("has both 'text' and 'answer'"));
  EXPECT_THAT(second("{\"messages\": []}"), HasSubstr("has no chat template"));
  EXPECT_THAT(second("{\"text\": " + std::string(100, '[') + std::string(100, ']') + "}"),
              HasSubstr("the object nests deeper than 64 levels"));
}

}  // namespace
}  // namespace enigma::engine
