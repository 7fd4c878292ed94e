#pragma once

#include <cstdint>
#include <string>

#include <absl/time/time.h>

namespace enigma::cli {

// A bar on stderr for work that lasts: shown only on a terminal, and only after a second. Not thread-safe.
class Progress {
 public:
  explicit Progress(std::string label);
  ~Progress();  // removes the bar
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  // `total` 0: not known. `note` stands after the bar.
  void Update(uint64_t done, uint64_t total, const std::string& note = "");
  void Finish();

 private:
  const std::string label_;
  const bool terminal_;
  const absl::Time started_;
  absl::Time drawn_ = absl::InfinitePast();
  bool visible_ = false;
};

// The line that Progress draws, without colour or cursor movement.
std::string ProgressLine(const std::string& label, uint64_t done, uint64_t total, const std::string& note, int columns);

}  // namespace enigma::cli
