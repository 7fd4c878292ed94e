#include "engine/corpus/text_documents.h"

#include <algorithm>
#include <utility>

#include "base/status_macros.h"
#include "base/utf8.h"

namespace enigma::engine {
namespace {

// Where the first part of `text` ends: at most `part_bytes`, at least half of that unless there is no place to cut.
size_t PartEnd(std::string_view text, size_t part_bytes) {
  const std::string_view window = text.substr(0, part_bytes);
  for (const std::string_view behind : {"\n\n", "\n", " "}) {
    const size_t at = window.rfind(behind);
    if (at != std::string_view::npos && at + behind.size() >= part_bytes / 2) return at + behind.size();
  }
  // The end of a character, unless a part holds not even one.
  const size_t valid = ValidUtf8Prefix(window);
  return valid > 0 ? valid : ReadUtf8(text).length;
}

Document TextDocument(std::string text, uint32_t file, uint64_t line) {
  Document document;
  document.segments.push_back({std::move(text), /*trained=*/true});
  document.file = file;
  document.line = line;
  return document;
}

}  // namespace

void AppendText(std::string text, size_t part_bytes, uint32_t file, uint64_t line, std::vector<Document>& documents) {
  if (part_bytes == 0 || text.size() / 3 * 2 <= part_bytes) {
    documents.push_back(TextDocument(std::move(text), file, line));
    return;
  }
  std::string_view rest = text;
  for (bool first = true; !rest.empty(); first = false) {
    const size_t size = rest.size() / 3 * 2 > part_bytes ? PartEnd(rest, part_bytes) : rest.size();
    Document part = TextDocument(std::string(rest.substr(0, size)), file, line);
    line += static_cast<uint64_t>(std::count(rest.begin(), rest.begin() + static_cast<std::ptrdiff_t>(size), '\n'));
    rest.remove_prefix(size);
    part.is_beginning = first;
    part.is_end = rest.empty();
    documents.push_back(std::move(part));
  }
}

absl::Status ReadText(LineSource lines, const ReaderOptions& options, uint32_t file, std::vector<Document>& documents,
                      ReaderCounts& counts) {
  std::string text;
  uint64_t begin = 0;  // 0: only blank lines so far
  const auto finish = [&] {
    const std::string_view kept = TrimmedBlanks(text);  // the first line is not blank; its indentation stays
    if (begin != 0) {
      text.resize(static_cast<size_t>(kept.data() + kept.size() - text.data()));
      AppendText(std::move(text), options.part_bytes, file, begin, documents);
    }
    text.clear();
    begin = 0;
  };
  Line line;
  while (true) {
    ENIGMA_ASSIGN_OR_RETURN(const bool more, lines.Next(line));
    if (!more) break;
    if (line.text == kDocumentSeparator) {
      finish();
      continue;
    }
    const bool blank = IsBlank(line.text);
    if (blank && begin == 0) continue;
    if (begin == 0) begin = line.number;
    counts.lines += blank ? 0 : 1;
    text += line.text;
    text += '\n';
  }
  finish();
  return absl::OkStatus();
}

}  // namespace enigma::engine
