#include "engine/corpus/document_reader.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include <absl/strings/match.h>
#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "base/utf8.h"
#include "engine/corpus/json_lines.h"
#include "engine/corpus/line_source.h"
#include "engine/corpus/question_answer.h"
#include "engine/corpus/text_documents.h"

namespace enigma::engine {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
constexpr std::array<std::pair<std::string_view, CorpusFormat>, 5> kFormats = {{{"auto", CorpusFormat::kAuto},
                                                                                {"text", CorpusFormat::kText},
                                                                                {"qa", CorpusFormat::kQuestions},
                                                                                {"jsonl", CorpusFormat::kJsonLines},
                                                                                {"labels", CorpusFormat::kLabels}}};

CorpusFormat FindFormat(std::string_view name, std::string_view bytes, const ReaderOptions& options) {
  if (options.format != CorpusFormat::kAuto) return options.format;
  if (IsNamedJsonLines(name)) return CorpusFormat::kJsonLines;
  const std::string_view first = FirstFilledLine(bytes);
  if (first.starts_with("Q:")) return CorpusFormat::kQuestions;
  if (first.starts_with("{") && first.size() <= options.line_bytes_max && IsRecord(first)) {
    return CorpusFormat::kJsonLines;
  }
  return CorpusFormat::kText;
}

}  // namespace

absl::Status CheckFileIsText(const CorpusFile& file) {
  const std::string_view bytes = file.bytes;
  const size_t valid = std::min(ValidUtf8Prefix(bytes), bytes.find('\0'));
  if (valid >= bytes.size()) return absl::OkStatus();
  const auto line = 1 + static_cast<uint64_t>(std::count(bytes.begin(), bytes.begin() + valid, '\n'));
  const size_t begin = valid == 0 ? 0 : bytes.rfind('\n', valid - 1) + 1;  // npos + 1 is 0
  const auto byte = static_cast<uint8_t>(bytes[valid]);
  return ErrorAtLine(file.name, line,
                     ToStd(absl::StrFormat("byte %d of the line (0x%02X) is no UTF-8 text; convert the file (iconv -t "
                                           "UTF-8), or leave it out if it is no text",
                                           valid - begin + 1, byte)));
}

std::string_view FirstFilledLine(std::string_view bytes) {
  while (!bytes.empty()) {
    const size_t end = std::min(bytes.find('\n'), bytes.size());
    const std::string_view line = bytes.substr(0, end);
    if (!IsBlank(line)) return line;
    bytes.remove_prefix(std::min(end + 1, bytes.size()));
  }
  return {};
}

bool IsNamedJsonLines(std::string_view name) {
  for (const char* ending : {".jsonl", ".ndjson", ".json"}) {
    if (absl::EndsWithIgnoreCase(ToAbsl(name), ending)) return true;
  }
  return false;
}

std::string_view WithoutByteOrderMark(std::string_view bytes) {
  if (bytes.starts_with(kByteOrderMark)) bytes.remove_prefix(kByteOrderMark.size());
  return bytes;
}

absl::StatusOr<CorpusFormat> ParseCorpusFormat(std::string_view name) {
  for (const auto& [known, format] : kFormats) {
    if (known == name) return format;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("no format '", ToAbsl(name), "': use auto, text, qa, jsonl or labels"));
}

std::string_view NameOf(CorpusFormat format) {
  for (const auto& [name, known] : kFormats) {
    if (known == format) return name;
  }
  return "";
}

absl::StatusOr<ReaderCounts> ReadDocuments(const CorpusFile& file, uint32_t file_index, const ReaderOptions& options,
                                           const Tokenizer& tokenizer, const ChatTemplate* chat,
                                           std::vector<Document>& documents) {
  const std::string_view bytes = WithoutByteOrderMark(file.bytes);
  if (bytes.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(file.name, ": the file is empty; fill it, or leave it out"));
  }
  ENIGMA_RETURN_IF_ERROR(CheckFileIsText(file));
  ReaderCounts counts;
  counts.format = FindFormat(file.name, bytes, options);
  const size_t before = documents.size();
  const LineSource lines(bytes, file.name, options.line_bytes_max);
  switch (counts.format) {
    case CorpusFormat::kQuestions:
      ENIGMA_RETURN_IF_ERROR(ReadQuestions(lines, file_index, documents, counts));
      break;
    case CorpusFormat::kJsonLines:
      ENIGMA_RETURN_IF_ERROR(ReadJsonLines(lines, options, tokenizer, chat, file_index, documents, counts));
      break;
    case CorpusFormat::kLabels:
      return absl::InvalidArgumentError(absl::StrCat(
          file.name, ": lines with labels are what a router learns; give --task router, or another format"));
    case CorpusFormat::kAuto:
    case CorpusFormat::kText:
      ENIGMA_RETURN_IF_ERROR(ReadText(lines, options, file_index, documents, counts));
      break;
  }
  counts.documents = documents.size() - before;
  if (counts.documents == 0) {
    return ErrorAtLine(file.name, 1, "the file holds no document, only blank lines; fill it, or leave it out");
  }
  return counts;
}

}  // namespace enigma::engine
