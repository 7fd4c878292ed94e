#pragma once

#include <string>
#include <vector>

#include <absl/status/statusor.h>

#include "engine/text/jinja/position.h"

namespace enigma::engine::jinja {

struct Token {
  enum class Kind {
    kText,
    kOutputBegin,
    kOutputEnd,
    kBlockBegin,
    kBlockEnd,
    kName,
    kString,
    kInteger,
    kFloat,
    kOperator,
    kEnd
  };
  Kind kind;
  std::string text;  // of a string: unescaped
  Position at;
};

// Cuts a template into tokens, the last of them kEnd. White space around tags is treated as transformers configures
// Jinja: trim_blocks (the newline behind a block tag goes), lstrip_blocks (so do blanks before one at the start of a
// line), `-` and `+` marks, and one newline at the end of the template.
absl::StatusOr<std::vector<Token>> Tokenize(std::string_view source);

}  // namespace enigma::engine::jinja
