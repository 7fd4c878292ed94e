#include "cli/training/tokenizer_choice.h"

#include <filesystem>
#include <string_view>
#include <system_error>

#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "cli/usage_error.h"
#include "engine/spec/gguf.h"
#include "engine/text/tokenizer.h"
#include "engine/text/vocabulary.h"

namespace enigma::cli {
namespace {

constexpr std::string_view kBytePairsOf = "bpe:";
constexpr uint32_t kVocabularyMin = 300;

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
    if (!absl::SimpleAtoi(text.substr(kBytePairsOf.size()), &size) || size < kVocabularyMin ||
        size > engine::kVocabularyMax) {
      return UsageError(absl::StrCat("--tokenizer: \"", text, "\": bpe:N takes a number of tokens from ",
                                     kVocabularyMin, " to ", engine::kVocabularyMax));
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

absl::StatusOr<uint32_t> TokensOf(const std::string& path) {
  ENIGMA_ASSIGN_OR_RETURN(const auto file, engine::GgufFile::Open(path));
  const auto tokenizer = engine::Tokenizer::FromGguf(file->metadata());
  if (!tokenizer.ok()) {
    return absl::Status(tokenizer.status().code(), absl::StrCat(path, ": ", tokenizer.status().message()));
  }
  return (*tokenizer)->vocab_size();
}

}  // namespace enigma::cli
