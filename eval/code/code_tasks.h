#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "eval/held_out.h"

namespace enigma::eval {

// A small program to write, asked for in several ways.
struct CodeTask {
  std::string name;                  // of the function
  std::vector<std::string> prompts;  // each says enough to pass the tests
  std::string solution;
  std::vector<std::string> tests;  // Python statements that raise where a solution is wrong
};

// Of a file with one JSON object per line: name, prompts, solution, tests (data/code/README.md). InvalidArgument
// "NAME:LINE: what is wrong".
absl::StatusOr<std::vector<CodeTask>> ParseCodeTasks(std::string_view text, std::string_view file_name);

// The index of the prompt that is kept from training, by the task's name.
size_t HeldOutPrompt(const CodeTask& task);

// A prompt of a task.
struct CodeRequest {
  const CodeTask* task = nullptr;
  std::string_view prompt;
};
// In the order of the tasks; all where no split is named. The prompt that is kept from training is the test's; none is
// kept for validation. Borrows the tasks.
std::vector<CodeRequest> RequestsOf(const std::vector<CodeTask>& tasks, std::optional<Split> split);

// What a training job reads: an object with "question" and "answer", the solution, per line.
std::string TrainingLines(const std::vector<CodeRequest>& requests);

}  // namespace enigma::eval
