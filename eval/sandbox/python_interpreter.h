#pragma once

#include <string>
#include <vector>

#include <absl/status/statusor.h>

namespace enigma::eval {

// The machine's python3, and what of the file system it needs to run.
struct PythonInterpreter {
  std::string program;  // real path of the interpreter itself, not of a script or a virtual environment's link
  std::string version;  // "3.11.2"
  std::vector<std::string> paths;  // folders and files to be seen, real paths, none inside another

  // Asks the python3 that PATH finds. NotFound where there is none or where it does not answer.
  static absl::StatusOr<PythonInterpreter> Find();
};

}  // namespace enigma::eval
