#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/corpus/corpus_report.h"
#include "engine/corpus/document.h"
#include "engine/corpus/document_reader.h"

namespace enigma::engine {

// A text and the label that a router is to give it.
struct LabelledText {
  std::string label;
  std::string text;
  uint32_t file = 0;  // index of the file it came from
  uint64_t line = 0;  // where it begins there, from 1
};

// Appends what a file holds. Formats, told apart by name and first line unless one is named:
//  - labels: "label<TAB>text" lines;
//  - qa: "Q:" and "A:" lines, the answer being the label alone, after "[E:tool]" or nothing;
//  - jsonl: an object per line with the strings "label" and "text"; other fields are passed over.
// White space at both ends of labels and texts is left out, and so are blank lines. InvalidArgument "NAME:LINE: what is
// wrong; what to do": a line of no such shape, a label that cannot be one (CheckLabel), an empty text.
absl::StatusOr<ReaderCounts> ReadLabelledTexts(const CorpusFile& file, uint32_t file_index,
                                               const ReaderOptions& options, std::vector<LabelledText>& texts);

// What several files hold, without duplicates.
struct LabelledCorpus {
  std::vector<LabelledText> texts;
  std::vector<std::string> labels;  // all there are, sorted
  CorpusReport report;              // files, what was left out, warnings
};

// Of texts that are the same but for white space and have the same label the first stays; `report` is told of the
// others, and of texts that stand under two labels.
void DropRepeatedTexts(const std::vector<CorpusFile>& files, LabelledCorpus& corpus);

// Reads files. Of texts that are the same but for white space and have the same label the first stays. Warned of, and
// kept: labels with a single text, and texts that stand under two labels. InvalidArgument as above, and where there
// are fewer than two labels, or more than RouterSpec::kLabelsMax.
absl::StatusOr<LabelledCorpus> ReadLabelledCorpus(const std::vector<CorpusFile>& files, const ReaderOptions& options);

// One flag per text: whether it is kept for validation. Of each label about `share`, which ones their texts decide; so
// the same texts are held out wherever they stand, and a label that has one text is trained on.
std::vector<bool> HeldOut(const std::vector<LabelledText>& texts, double share);

}  // namespace enigma::engine
