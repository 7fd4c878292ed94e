// `enigma data code`: requests for small Python functions with their solutions.
#include <cstdio>
#include <memory>

#include "base/status_macros.h"
#include "cli/commands/commands.h"
#include "cli/input/code_task_file.h"
#include "cli/output/format.h"
#include "cli/output/output_file.h"
#include "engine/spec/manifest.h"

namespace enigma::cli {

namespace {

struct DataCodeFlags {
  std::string out;
  std::string data = kShippedCodeTasks;
  std::string split = "train";
  bool force = false;
  bool json = false;
};

absl::Status RunDataCode(const DataCodeFlags& flags) {
  ENIGMA_RETURN_IF_ERROR(CheckOutputFile("--out", flags.out, flags.force));
  ENIGMA_ASSIGN_OR_RETURN(const std::vector<eval::CodeTask> tasks, ReadCodeTasks(flags.data));
  const auto requests = eval::RequestsOf(tasks, eval::ParseSplit(flags.split));
  const std::string lines = eval::TrainingLines(requests);
  ENIGMA_RETURN_IF_ERROR(WriteOutputFile(flags.out, lines));
  if (flags.json) {
    PrintJson({{"path", flags.out},
               {"data", flags.data},
               {"split", flags.split},
               {"tasks", tasks.size()},
               {"requests", requests.size()},
               {"bytes", lines.size()},
               {"sha256", engine::HexOf(engine::Sha256Of(lines))}});
    return absl::OkStatus();
  }
  std::printf("%s: %zu requests for %zu tasks of the split %s, %s\n", flags.out.c_str(), requests.size(), tasks.size(),
              flags.split.c_str(), FormatBytes(lines.size()).c_str());
  return absl::OkStatus();
}

}  // namespace

void AddDataCode(Command& data) {
  Command command = data.Add("code", "requests for Python functions, with solutions (data/code/README.md)");
  auto flags = std::make_shared<DataCodeFlags>();
  command.Text("--out,-o", flags->out, "file to write: JSON lines with question and answer", "FILE").Required();
  command.Text("--data", flags->data, "tasks with their wordings and tests (default data/code/tasks.jsonl)", "FILE");
  command
      .Text("--split", flags->split,
            "train (default): without the wording of each task that is held out; test: these; all: both", "SPLIT")
      .Among({"train", "test", "all"});
  command.Switch("--force", flags->force, "replace a file that is there");
  command.Switch("--json", flags->json, "as JSON");
  command.Examples({"enigma data code --out code.jsonl", "enigma data code --out mine.jsonl --data my_tasks.jsonl"});
  command.Does([flags] { return RunDataCode(*flags); });
}

}  // namespace enigma::cli
