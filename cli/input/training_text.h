#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace enigma::cli {

struct TrainingFile {
  std::string path;
  uint64_t bytes = 0;
  bool json_lines = false;  // *.jsonl; all others are plain text
};

// The files that `paths` name, in their order; of a folder every .txt, .md and .jsonl below it, by name; where texts
// are `labelled`, .tsv in place of .md. Errors name the path: NotFound, or InvalidArgument for what is no file and for
// a folder without any.
absl::StatusOr<std::vector<TrainingFile>> FindTrainingFiles(const std::vector<std::string>& paths,
                                                            bool labelled = false);

// Reads one file in parts, in memory that a part's size bounds, and gives its texts to `take`, with how many bytes of
// the file have been read. Plain text comes in parts of some megabytes that end with a line behind which a new
// paragraph or sentence begins, so that no word lies across two. Of each JSON line come the strings, as deep as they
// lie, of its fields text, prompt, completion and messages, or, where it has none of these, of all fields; blank lines
// are left out. Errors name file and line: bytes that are not UTF-8, lines that are no JSON object, a line longer than
// 256 MiB.
absl::Status ReadTrainingFile(const TrainingFile& file,
                              const std::function<void(std::string_view text, uint64_t file_bytes)>& take);

}  // namespace enigma::cli
