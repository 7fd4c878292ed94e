#pragma once

#include <vector>

#include <absl/status/status.h>

#include "engine/corpus/document.h"
#include "engine/corpus/document_reader.h"
#include "engine/corpus/line_source.h"
#include "engine/text/chat_template.h"
#include "engine/text/tokenizer.h"

namespace enigma::engine {

// Whether a line is a JSON object with a field that ReadDocuments understands.
bool IsRecord(std::string_view line);

// The records of a file with one JSON object per line.
absl::Status ReadJsonLines(LineSource lines, const ReaderOptions& options, const Tokenizer& tokenizer,
                           const ChatTemplate* chat, uint32_t file, std::vector<Document>& documents,
                           ReaderCounts& counts);

}  // namespace enigma::engine
