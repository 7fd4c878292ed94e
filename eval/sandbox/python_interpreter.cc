#include "eval/sandbox/python_interpreter.h"

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <system_error>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_split.h>
#include <absl/strings/strip.h>

#include "base/text.h"

namespace enigma::eval {
namespace {

namespace fs = std::filesystem;

// One line each: version, program, then the folders of the library and of every shared object that is loaded.
constexpr char kQuestion[] =
    "python3 -I -S -c '"
    "import os, sys, sysconfig\n"
    "print(sys.version.split()[0])\n"
    "print(os.path.realpath(getattr(sys, \"_base_executable\", sys.executable)))\n"
    "for name in (\"stdlib\", \"platstdlib\"):\n"
    "    print(sysconfig.get_path(name, vars={\"base\": sys.base_prefix, \"platbase\": sys.base_exec_prefix}))\n"
    "for line in open(\"/proc/self/maps\"):\n"
    "    path = line.rstrip().partition(\"/\")[2]\n"
    "    if \".so\" in path: print(\"/\" + os.path.dirname(path))\n"
    "' 2>/dev/null </dev/null";

constexpr size_t kAnswerBytesMax = size_t{1} << 20;

std::string Ask() {
  std::string answer;
  std::FILE* const pipe = ::popen(kQuestion, "re");
  if (pipe == nullptr) return answer;
  char buffer[4096];
  while (answer.size() < kAnswerBytesMax) {
    const size_t got = std::fread(buffer, 1, sizeof buffer, pipe);
    if (got == 0) break;
    answer.append(buffer, got);
  }
  return ::pclose(pipe) == 0 ? answer : "";
}

bool IsWithin(const std::string& path, const std::string& folder) {
  return path == folder || absl::StartsWith(path, absl::StrCat(folder, "/"));
}

// Real paths, each once and none inside another.
std::vector<std::string> Outermost(const std::vector<std::string>& paths) {
  std::vector<std::string> real;
  for (const std::string& path : paths) {
    std::error_code error;
    const fs::path found = fs::canonical(path, error);
    if (!error && found != "/") real.push_back(found.string());
  }
  std::sort(real.begin(), real.end());
  std::vector<std::string> outermost;
  for (const std::string& path : real) {
    const auto holds = [&path](const std::string& other) { return IsWithin(path, other); };
    if (std::none_of(outermost.begin(), outermost.end(), holds)) outermost.push_back(path);
  }
  return outermost;
}

}  // namespace

absl::StatusOr<PythonInterpreter> PythonInterpreter::Find() {
  std::vector<std::string> lines = absl::StrSplit(Ask(), '\n', absl::SkipEmpty());
  if (lines.size() < 4) return absl::NotFoundError("there is no python3 that runs; install Python 3.9 or newer");
  PythonInterpreter found;
  found.version = lines[0];
  found.program = lines[1];
  // Folders of shared objects that its modules load later, and where the dynamic linker looks for all of them.
  lines.insert(lines.end(), {"/lib", "/lib64", "/usr/lib", "/usr/lib64", "/etc/ld.so.cache"});
  lines.erase(lines.begin());
  found.paths = Outermost(lines);
  return found;
}

}  // namespace enigma::eval
