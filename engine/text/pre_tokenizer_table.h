#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace enigma::engine {

// How the models behind one `tokenizer.ggml.pre` name cut a text into the pieces that byte pair encoding works on.
struct PreTokenizerRule {
  // PCRE2 patterns (UTF, UCP), applied one after another, each to every piece that the one before left: what matches
  // becomes a piece, and so does what lies between two matches.
  std::vector<std::string> patterns;
  bool ignore_merges = false;  // a piece that is a token as a whole is that token, whatever the merges would give
  bool add_bos = false;        // where the metadata does not say
};

// nullptr if there is no such name.
const PreTokenizerRule* FindPreTokenizerRule(std::string_view name);

// Every name, sorted and separated by commas: for error messages.
std::string PreTokenizerNames();

}  // namespace enigma::engine
