#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "engine/corpus/document.h"
#include "engine/text/chat_template.h"
#include "engine/text/tokenizer.h"

namespace enigma::engine {

enum class CorpusFormat {
  kAuto,       // by the name's ending (.jsonl, .ndjson), else by the first line that is not empty
  kText,       // running text; a line "<|endoftext|>" separates documents
  kQuestions,  // "Q:" and "A:" lines
  kJsonLines,  // one JSON object per line
  kLabels,     // "label<TAB>text" lines, for routers alone (labelled_texts.h)
};

// Of "auto", "text", "qa", "jsonl" or "labels". InvalidArgument names them.
absl::StatusOr<CorpusFormat> ParseCorpusFormat(std::string_view name);
std::string_view NameOf(CorpusFormat format);

struct ReaderOptions {
  CorpusFormat format = CorpusFormat::kAuto;
  size_t line_bytes_max = size_t{16} << 20;  // a longer line is an error
  // Running text longer than one and a half times this is cut at the ends of paragraphs into parts of about this size,
  // so that one book can be shuffled and a part of it kept for validation. 0: never.
  size_t part_bytes = size_t{16} << 10;
};

// What a file held, for the report.
struct ReaderCounts {
  CorpusFormat format = CorpusFormat::kText;  // as found out
  uint64_t documents = 0;
  uint64_t lines = 0;         // that are not blank
  uint64_t questions = 0;     // of the documents, those that are a question and its answer
  uint64_t tool_answers = 0;  // answers that begin with [E:tool]
  uint64_t glued_pairs = 0;   // prompts that a completion follows without white space between
};

// A file must be text throughout, whatever its format: UTF-8 without zeros. InvalidArgument names line and byte.
absl::Status CheckFileIsText(const CorpusFile& file);

// The bytes behind a byte order mark, if there is one.
std::string_view WithoutByteOrderMark(std::string_view bytes);

// The first line that is not blank; empty where there is none.
std::string_view FirstFilledLine(std::string_view bytes);

// Whether a file's name says that it holds JSON lines.
bool IsNamedJsonLines(std::string_view name);

// Appends the documents of a file to `documents`, each with `file_index`. Byte order marks are left out and CRLF
// becomes LF. Errors are InvalidArgument, "NAME:LINE: what is wrong; what to do".
//  - text: what a training text is to end with is the end token, so blank lines at both ends are left out.
//  - qa: a pair becomes "Q: question\nA:" to be read and " answer" to be learned. A question reaches to the next line
//    that begins with "A:", an answer to the next that begins with "Q:"; an answer may begin with "[E:tool]".
//  - jsonl: an object with "text"; or with "prompt" and "completion", joined as they are; or with "question" and
//    "answer", which become a pair as in qa; or with "messages" (and "tools"), as OpenAI has them, which `chat` renders
//    (nullptr: the model has no chat template). Other fields are passed over.
// `tokenizer` tells the text of the end token, which some templates add behind a conversation.
absl::StatusOr<ReaderCounts> ReadDocuments(const CorpusFile& file, uint32_t file_index, const ReaderOptions& options,
                                           const Tokenizer& tokenizer, const ChatTemplate* chat,
                                           std::vector<Document>& documents);

}  // namespace enigma::engine
