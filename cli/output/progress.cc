#include "cli/output/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>

#include <absl/strings/str_cat.h>
#include <absl/strings/str_format.h>
#include <absl/time/clock.h>

namespace enigma::cli {

namespace {

constexpr absl::Duration kQuiet = absl::Seconds(1);
constexpr absl::Duration kRedraw = absl::Milliseconds(100);
constexpr int kBarCells = 30;

int TerminalColumns() {
  winsize size{};
  if (::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

}  // namespace

std::string ProgressLine(const std::string& label, uint64_t done, uint64_t total, const std::string& note,
                         int columns) {
  std::string line = label;
  if (total > 0) {
    const double share = std::min(1.0, static_cast<double>(done) / static_cast<double>(total));
    const auto filled = static_cast<size_t>(share * kBarCells);
    absl::StrAppend(&line, " [", std::string(filled, '#'), std::string(kBarCells - filled, '.'), "] ",
                    absl::StrFormat("%3.0f%%", share * 100));
  }
  if (!note.empty()) absl::StrAppend(&line, " ", note);
  if (line.size() > static_cast<size_t>(columns - 1)) line.resize(static_cast<size_t>(columns - 1));
  return line;
}

Progress::Progress(std::string label)
    : label_(std::move(label)), terminal_(::isatty(STDERR_FILENO) == 1), started_(absl::Now()) {}

Progress::~Progress() { Finish(); }

void Progress::Update(uint64_t done, uint64_t total, const std::string& note) {
  if (!terminal_) return;
  const absl::Time now = absl::Now();
  if (now - started_ < kQuiet || now - drawn_ < kRedraw) return;
  drawn_ = now;
  visible_ = true;
  std::fprintf(stderr, "\r\033[K%s", ProgressLine(label_, done, total, note, TerminalColumns()).c_str());
  std::fflush(stderr);
}

void Progress::Finish() {
  if (!visible_) return;
  visible_ = false;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
}

}  // namespace enigma::cli
