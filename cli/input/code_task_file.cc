#include "cli/input/code_task_file.h"

#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "cli/input/read_text.h"

namespace enigma::cli {

absl::StatusOr<std::vector<eval::CodeTask>> ReadCodeTasks(const std::string& path) {
  absl::StatusOr<std::string> text = ReadText(path);
  if (absl::IsNotFound(text.status())) {
    return absl::NotFoundError(absl::StrCat(text.status().message(), "; name the file of tasks with --data (",
                                            kShippedCodeTasks, " of the repository has some)"));
  }
  ENIGMA_RETURN_IF_ERROR(text.status());
  return eval::ParseCodeTasks(*text, path);
}

}  // namespace enigma::cli
