#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <absl/status/status.h>

namespace enigma::engine {

// Tokens of a vocabulary that stand for no text: they are found in texts as whole strings, never cut and never merged
// with what is beside them.
struct SpecialTokens {
  std::vector<std::string> texts;  // in the order of their ids, which follow all others
  // Some of them by what they are for; empty: there is none.
  std::string bos = {};          // before a document
  std::string eos = {};          // behind it
  std::string padding = {};      // fills up what is not read
  std::string end_of_turn = {};  // behind a message of a chat

  // What trained tokenizers have: <|endoftext|> (as in GPT-2, both before and behind a document), <|pad|>, ChatML's
  // <|im_start|> and <|im_end|>, then `more`, then `spares` that mean nothing yet, <|spare_0|>, <|spare_1|>, ...: for
  // labels, images and whatever a model is taught later without another vocabulary.
  static SpecialTokens Standard(const std::vector<std::string>& more, uint32_t spares);

  // InvalidArgument names the token that is empty, too long, no UTF-8, has control characters, comes twice, or has a
  // purpose but is not in the list.
  absl::Status Check() const;
};

}  // namespace enigma::engine
