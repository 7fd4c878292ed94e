#include "eval/code/code_tasks.h"

#include <utility>

#include <absl/strings/str_cat.h>
#include <nlohmann/json.hpp>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/corpus/line_source.h"
#include "engine/text/json_shape.h"

namespace enigma::eval {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kLineBytesMax = size_t{1} << 20;

// The errors are the rest of a sentence: the caller puts file and line before them.

absl::StatusOr<std::string> TextField(const Json& task, const char* name) {
  const auto field = task.find(name);
  if (field == task.end() || !field->is_string() || field->get_ref<const std::string&>().empty()) {
    return absl::InvalidArgumentError(absl::StrCat("the task needs a text '", name, "'"));
  }
  return field->get<std::string>();
}

absl::StatusOr<std::vector<std::string>> TextsField(const Json& task, const char* name) {
  const auto wrong = [name] {
    return absl::InvalidArgumentError(absl::StrCat("the task needs a list of texts '", name, "'"));
  };
  const auto field = task.find(name);
  if (field == task.end() || !field->is_array() || field->empty()) return wrong();
  std::vector<std::string> texts;
  for (const Json& text : *field) {
    if (!text.is_string() || text.get_ref<const std::string&>().empty()) return wrong();
    texts.push_back(text.get<std::string>());
  }
  return texts;
}

absl::StatusOr<CodeTask> TaskOf(std::string_view line) {
  const Json object = engine::ParseJsonOfStrangers(line);
  if (!object.is_object()) return absl::InvalidArgumentError("this is no JSON object");
  CodeTask task;
  ENIGMA_ASSIGN_OR_RETURN(task.name, TextField(object, "name"));
  ENIGMA_ASSIGN_OR_RETURN(task.prompts, TextsField(object, "prompts"));
  ENIGMA_ASSIGN_OR_RETURN(task.solution, TextField(object, "solution"));
  ENIGMA_ASSIGN_OR_RETURN(task.tests, TextsField(object, "tests"));
  return task;
}

}  // namespace

absl::StatusOr<std::vector<CodeTask>> ParseCodeTasks(std::string_view text, std::string_view file_name) {
  std::vector<CodeTask> tasks;
  engine::LineSource lines(text, file_name, kLineBytesMax);
  engine::Line line;
  while (true) {
    ENIGMA_ASSIGN_OR_RETURN(const bool more, lines.Next(line));
    if (!more) break;
    if (engine::IsBlank(line.text)) continue;
    absl::StatusOr<CodeTask> task = TaskOf(line.text);
    if (!task.ok()) return engine::ErrorAtLine(file_name, line.number, ToStd(task.status().message()));
    tasks.push_back(*std::move(task));
  }
  if (tasks.empty()) return absl::InvalidArgumentError(absl::StrCat(ToAbsl(file_name), " has no task"));
  return tasks;
}

size_t HeldOutPrompt(const CodeTask& task) { return PartOf(task.name, task.prompts.size()); }

std::vector<CodeRequest> RequestsOf(const std::vector<CodeTask>& tasks, std::optional<Split> split) {
  std::vector<CodeRequest> requests;
  for (const CodeTask& task : tasks) {
    for (size_t i = 0; i < task.prompts.size(); ++i) {
      const Split its = i == HeldOutPrompt(task) ? Split::kTest : Split::kTrain;
      if (!split || *split == its) requests.push_back({&task, task.prompts[i]});
    }
  }
  return requests;
}

std::string TrainingLines(const std::vector<CodeRequest>& requests) {
  std::string lines;
  for (const CodeRequest& request : requests) {
    lines += Json({{"question", request.prompt}, {"answer", request.task->solution}}).dump() + "\n";
  }
  return lines;
}

}  // namespace enigma::eval
