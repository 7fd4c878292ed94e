#include <utility>

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/text/byte_alphabet.h"
#include "engine/text/byte_pair.h"
#include "engine/text/pre_tokenizer_table.h"

namespace enigma::engine {
namespace {

constexpr char kMerges[] = "tokenizer.ggml.merges";
constexpr char kPre[] = "tokenizer.ggml.pre";

absl::StatusOr<const PreTokenizerRule*> ReadRule(const GgufMetadata& metadata) {
  if (!metadata.Has(kPre)) {
    return absl::InvalidArgumentError(
        absl::StrCat(kPre,
                     " is missing: the file does not say how its model cuts text into words; convert the model "
                     "again with a current converter"));
  }
  ENIGMA_ASSIGN_OR_RETURN(const std::string_view name, metadata.String(kPre));
  const PreTokenizerRule* rule = FindPreTokenizerRule(name);
  if (rule == nullptr) {
    return absl::UnimplementedError(absl::StrCat(kPre, " is '", absl::CHexEscape(ToAbsl(name.substr(0, 64))),
                                                 "', which is not known here; known: ", PreTokenizerNames()));
  }
  return rule;
}

std::array<TokenId, 256> FindByteTokens(const Vocabulary& vocabulary) {
  std::array<TokenId, 256> byte_tokens;
  for (int byte = 0; byte < 256; ++byte) {
    const std::optional<TokenId> id = vocabulary.Find(ByteToAlphabet(static_cast<uint8_t>(byte)));
    byte_tokens[byte] = id && vocabulary.tokens[*id].type == TokenType::kNormal ? *id : -1;
  }
  return byte_tokens;
}

absl::Status ReadMerges(const GgufMetadata& metadata, const Vocabulary& vocabulary, MergeTable& merges) {
  ENIGMA_ASSIGN_OR_RETURN(const GgufArray* array, metadata.Array(kMerges));
  const std::vector<std::string>& lines = array->strings;
  // Every merge makes a token, so there cannot be more of them, but for pairs that make the same one.
  if (lines.size() > vocabulary.tokens.size() * 16) {
    return absl::InvalidArgumentError(absl::StrCat(kMerges, " has ", lines.size(), " elements for ",
                                                   vocabulary.tokens.size(), " tokens: too many to be true"));
  }
  merges.Reserve(lines.size());
  std::string joined;
  for (size_t i = 0; i < lines.size(); ++i) {
    const std::string_view line = lines[i];
    const size_t space = line.find(' ', 1);
    if (space == std::string_view::npos || space + 1 == line.size()) {
      return absl::InvalidArgumentError(absl::StrCat(kMerges, "[", i, "] is '",
                                                     absl::CHexEscape(ToAbsl(line.substr(0, 64))),
                                                     "': two tokens with a space between are needed"));
    }
    const std::string_view left = line.substr(0, space);
    const std::string_view right = line.substr(space + 1);
    joined.assign(left).append(right);
    TokenId ids[3];
    const std::string_view texts[3] = {left, right, joined};
    for (int part = 0; part < 3; ++part) {
      const std::optional<TokenId> id = vocabulary.Find(texts[part]);
      if (!id) {
        return absl::InvalidArgumentError(
            absl::StrCat(kMerges, "[", i, "] is '", absl::CHexEscape(ToAbsl(line.substr(0, 64))), "', but '",
                         absl::CHexEscape(ToAbsl(texts[part].substr(0, 64))), "' is not among tokenizer.ggml.tokens"));
      }
      ids[part] = *id;
    }
    merges.Add(ids[0], ids[1], {static_cast<int32_t>(i), ids[2]});
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> BytePairTokenizer::FromGguf(const GgufMetadata& metadata) {
  ENIGMA_ASSIGN_OR_RETURN(const PreTokenizerRule* rule, ReadRule(metadata));
  VocabularyDefaults defaults;
  defaults.add_bos = rule->add_bos;
  Parts parts;
  ENIGMA_ASSIGN_OR_RETURN(parts.vocabulary, Vocabulary::Read(metadata, defaults));
  parts.vocabulary.FillBytes([](const std::string& text) { return AlphabetToBytes(text).value_or(text); });
  ENIGMA_RETURN_IF_ERROR(ReadMerges(metadata, parts.vocabulary, parts.merges));
  parts.byte_tokens = FindByteTokens(parts.vocabulary);
  ENIGMA_ASSIGN_OR_RETURN(parts.pre_tokenizer, PreTokenizer::Create(rule->patterns));
  parts.ignore_merges = rule->ignore_merges;
  return std::make_unique<BytePairTokenizer>(std::move(parts));
}

}  // namespace enigma::engine
