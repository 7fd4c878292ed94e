#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace enigma::engine {

// InvalidArgument "NAME:LINE: message".
absl::Status ErrorAtLine(std::string_view name, uint64_t line, std::string_view message);

bool IsBlank(std::string_view text);                    // nothing but ASCII white space
std::string_view TrimmedBlanks(std::string_view text);  // without white space at both ends

struct Line {
  std::string_view text;  // without its end, LF or CRLF
  uint64_t number = 0;    // from 1
};

// The lines of a text, one after the other. Borrows text and name. Not thread-safe.
class LineSource {
 public:
  LineSource(std::string_view text, std::string_view name, size_t line_bytes_max)
      : rest_(text), name_(name), line_bytes_max_(line_bytes_max) {}

  // False at the end. InvalidArgument for a line beyond the limit.
  absl::StatusOr<bool> Next(Line& line);
  std::string_view name() const { return name_; }

 private:
  std::string_view rest_;
  std::string_view name_;
  size_t line_bytes_max_;
  uint64_t number_ = 0;
};

}  // namespace enigma::engine
