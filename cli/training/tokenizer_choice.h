#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include <absl/status/statusor.h>

namespace enigma::cli {

// What --tokenizer of `train` asks for: one that is trained on the data, or a file.
struct TokenizerChoice {
  std::string kind;                    // "bpe", "chars"; empty: what the coordinator takes, or the file's
  std::optional<uint32_t> vocab_size;  // of "bpe:N"
  std::string path;                    // of a GGUF file
};

// "chars", "bpe", "bpe:N", else the path of a file; "" asks for nothing. A usage error where there is no such file, or
// N is no number from 300 to 4194304.
absl::StatusOr<TokenizerChoice> ParseTokenizerChoice(const std::string& text);

// How many tokens the vocabulary of a GGUF file has. The error names the file.
absl::StatusOr<uint32_t> TokensOf(const std::string& path);

}  // namespace enigma::cli
