#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace enigma::engine {

// What was read out of a piece of an answer.
struct ToolOutput {
  struct Piece {
    size_t call = 0;        // which of the answer's calls, from 0
    std::string name;       // with the first piece of a call
    std::string arguments;  // JSON, to be put together
  };
  std::string content;
  std::vector<Piece> calls;

  bool empty() const { return content.empty() && calls.empty(); }
};

// Takes an answer as it is made and tells its text from its calls of tools. Not thread-safe.
class CallReader {
 public:
  virtual ~CallReader() = default;
  virtual ToolOutput Add(std::string_view text) = 0;
  virtual ToolOutput Finish() = 0;  // the answer has ended: what was held back
};

}  // namespace enigma::engine
