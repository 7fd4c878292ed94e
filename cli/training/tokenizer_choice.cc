#include "cli/training/tokenizer_choice.h"

#include <filesystem>
#include <string_view>
#include <system_error>

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include "cli/usage_error.h"

namespace enigma::cli {
namespace {

constexpr std::string_view kBytePairsOf = "bpe:";
constexpr uint32_t kVocabularyMin = 300;
constexpr uint32_t kVocabularyMax = 1 << 22;

}  // namespace

absl::StatusOr<TokenizerChoice> ParseTokenizerChoice(const std::string& text) {
  TokenizerChoice choice;
  if (text.empty()) return choice;
  if (text == "chars" || text == "bpe") {
    choice.kind = text;
    return choice;
  }
  if (text.starts_with(kBytePairsOf)) {
    uint32_t size = 0;
    if (!absl::SimpleAtoi(text.substr(kBytePairsOf.size()), &size) || size < kVocabularyMin || size > kVocabularyMax) {
      return UsageError(absl::StrCat("--tokenizer: \"", text, "\": bpe:N takes a number of tokens from ",
                                     kVocabularyMin, " to ", kVocabularyMax));
    }
    choice.kind = "bpe";
    choice.vocab_size = size;
    return choice;
  }
  std::error_code error;
  if (!std::filesystem::is_regular_file(text, error)) {
    return UsageError(
        absl::StrCat("--tokenizer: \"", text, "\" is neither chars, bpe or bpe:N, nor a file that is there"));
  }
  choice.path = text;
  return choice;
}

}  // namespace enigma::cli
