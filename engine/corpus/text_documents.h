#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>

#include "engine/corpus/document.h"
#include "engine/corpus/document_reader.h"
#include "engine/corpus/line_source.h"

namespace enigma::engine {

inline constexpr std::string_view kDocumentSeparator = "<|endoftext|>";  // a line of its own

// Appends running text as one document, or as parts of about `part_bytes` where it is longer than one and a half times
// that (0: never): cut behind an empty line, else a line, else a space, else a character. `line` is that of its first
// character.
void AppendText(std::string text, size_t part_bytes, uint32_t file, uint64_t line, std::vector<Document>& documents);

// The documents of a file of running text.
absl::Status ReadText(LineSource lines, const ReaderOptions& options, uint32_t file, std::vector<Document>& documents,
                      ReaderCounts& counts);

}  // namespace enigma::engine
