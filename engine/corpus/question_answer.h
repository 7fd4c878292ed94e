#pragma once

#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "engine/corpus/document.h"
#include "engine/corpus/document_reader.h"
#include "engine/corpus/line_source.h"

namespace enigma::engine {

// The document of a pair: "Q: question\nA:" is read, " answer" is learned. White space at the ends of both is left out.
// InvalidArgument, as the rest of a sentence, when one is blank, or when the answer begins with "[E:" but no
// "[E:tool]".
absl::StatusOr<Document> PairDocument(std::string_view question, std::string_view answer, ReaderCounts& counts);

// The pairs of a file of "Q:" and "A:" lines.
absl::Status ReadQuestions(LineSource lines, uint32_t file, std::vector<Document>& documents, ReaderCounts& counts);

}  // namespace enigma::engine
