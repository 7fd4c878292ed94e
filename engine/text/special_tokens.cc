#include "engine/text/special_tokens.h"

#include <algorithm>

#include <absl/container/flat_hash_set.h>
#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/utf8.h"

namespace enigma::engine {
namespace {

constexpr size_t kSpecialBytesMax = 256;

absl::Status CheckText(const std::string& text) {
  const auto wrong = [&text](const char* why) {
    return absl::InvalidArgumentError(absl::StrCat("special token '", absl::CHexEscape(text.substr(0, 64)), "' ", why));
  };
  if (text.empty()) return wrong("is empty");
  if (text.size() > kSpecialBytesMax) return wrong("has more than 256 bytes");
  if (ValidUtf8Prefix(text) != text.size()) return wrong("is not UTF-8");
  // Files are read in parts that end at line ends, and a token must not lie across two.
  const auto is_control = [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; };
  if (std::any_of(text.begin(), text.end(), is_control)) return wrong("has a control character, such as a line end");
  return absl::OkStatus();
}

}  // namespace

SpecialTokens SpecialTokens::Standard(const std::vector<std::string>& more, uint32_t spares) {
  SpecialTokens made;
  made.texts = {"<|endoftext|>", "<|pad|>", "<|im_start|>", "<|im_end|>"};
  made.bos = made.eos = made.texts[0];
  made.padding = made.texts[1];
  made.end_of_turn = made.texts[3];
  made.texts.insert(made.texts.end(), more.begin(), more.end());
  for (uint32_t i = 0; i < spares; ++i) made.texts.push_back(absl::StrCat("<|spare_", i, "|>"));
  return made;
}

absl::Status SpecialTokens::Check() const {
  absl::flat_hash_set<std::string> known;
  for (const std::string& text : texts) {
    ENIGMA_RETURN_IF_ERROR(CheckText(text));
    if (!known.insert(text).second) {
      return absl::InvalidArgumentError(absl::StrCat("special token '", text, "' comes twice"));
    }
  }
  for (const std::string* named : {&bos, &eos, &padding, &end_of_turn}) {
    if (!named->empty() && !known.contains(*named)) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", absl::CHexEscape(named->substr(0, 64)), "' is not among the special tokens"));
    }
  }
  return absl::OkStatus();
}

}  // namespace enigma::engine
