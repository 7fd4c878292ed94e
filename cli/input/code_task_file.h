#pragma once

#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "eval/code/code_tasks.h"

namespace enigma::cli {

// Where the repository keeps them, from its root.
inline constexpr char kShippedCodeTasks[] = "data/code/tasks.jsonl";

// The tasks of a file that --data names. Errors name the file, and the flag where there is no such file.
absl::StatusOr<std::vector<eval::CodeTask>> ReadCodeTasks(const std::string& path);

}  // namespace enigma::cli
