#include "engine/text/tiktoken.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <absl/strings/escaping.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"
#include "base/text.h"
#include "engine/text/byte_pair.h"
#include "engine/text/pre_tokenizer_table.h"
#include "engine/text/vocabulary.h"

namespace enigma::engine {
namespace {

constexpr size_t kRankedBytesMax = 1024;  // merges are found by trying every cut of every token
constexpr size_t kMissingRanksMax = 1024;

struct RankLine {
  std::string bytes;
  size_t rank;
};

absl::StatusOr<RankLine> ParseLine(std::string_view line, size_t number) {
  const auto error = [number](const char* what) {
    return absl::InvalidArgumentError(
        absl::StrCat("ranks file, line ", number, ": ", what, "; 'base64 rank' is needed, as in 'IQ== 0'"));
  };
  const size_t space = line.find(' ');
  if (space == std::string_view::npos) return error("no space");
  RankLine made;
  if (!absl::Base64Unescape(ToAbsl(line.substr(0, space)), &made.bytes)) return error("not base64");
  if (made.bytes.empty() || made.bytes.size() > kRankedBytesMax) return error("a token of 1 to 1024 bytes is needed");
  const std::string_view digits = line.substr(space + 1);
  const auto [end, code] = std::from_chars(digits.data(), digits.data() + digits.size(), made.rank);
  if (code != std::errc() || end != digits.data() + digits.size() || made.rank >= kVocabularyMax) {
    return error("not a rank");
  }
  return made;
}

absl::Status ReadRanks(std::string_view ranks, std::vector<VocabularyToken>& tokens) {
  std::vector<RankLine> lines;
  size_t rank_end = 0;
  for (size_t number = 1; !ranks.empty(); ++number) {
    const size_t newline = ranks.find('\n');
    std::string_view line = ranks.substr(0, newline);
    ranks.remove_prefix(newline == std::string_view::npos ? ranks.size() : newline + 1);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    if (line.empty()) continue;
    ENIGMA_ASSIGN_OR_RETURN(RankLine parsed, ParseLine(line, number));
    rank_end = std::max(rank_end, parsed.rank + 1);
    lines.push_back(std::move(parsed));
  }
  if (lines.empty()) return absl::InvalidArgumentError("the ranks file holds no tokens");
  if (rank_end > lines.size() + kMissingRanksMax) {
    return absl::InvalidArgumentError(
        absl::StrCat("the ranks file has ", lines.size(), " tokens, but ranks up to ", rank_end - 1));
  }
  tokens.resize(rank_end);
  for (VocabularyToken& token : tokens) token.type = TokenType::kUnused;  // stays so where a rank is missing
  for (RankLine& line : lines) {
    VocabularyToken& token = tokens[line.rank];
    if (!token.text.empty()) {
      return absl::InvalidArgumentError(absl::StrCat("the ranks file gives rank ", line.rank, " twice"));
    }
    token.type = TokenType::kNormal;
    token.bytes = line.bytes;
    token.text = std::move(line.bytes);
  }
  return absl::OkStatus();
}

// Tokens written as bytes, so `ids` finds them by their bytes.
MergeTable MergesByRank(const Vocabulary& vocabulary, size_t rank_end) {
  MergeTable merges;
  for (size_t rank = 0; rank < rank_end; ++rank) {
    const std::string_view bytes = vocabulary.tokens[rank].bytes;
    for (size_t cut = 1; cut < bytes.size(); ++cut) {
      const std::optional<TokenId> left = vocabulary.Find(bytes.substr(0, cut));
      if (!left) continue;
      const std::optional<TokenId> right = vocabulary.Find(bytes.substr(cut));
      if (right) merges.Add(*left, *right, {static_cast<int32_t>(rank), static_cast<TokenId>(rank)});
    }
  }
  return merges;
}

std::optional<TokenId> FirstOf(const Vocabulary& vocabulary, std::initializer_list<std::string_view> texts) {
  for (const std::string_view text : texts) {
    if (const std::optional<TokenId> id = vocabulary.Find(text)) return id;
  }
  return std::nullopt;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Tokenizer>> ReadTiktoken(std::string_view ranks, std::string_view pre,
                                                        const std::vector<std::string>& special_tokens) {
  const PreTokenizerRule* rule = FindPreTokenizerRule(pre);
  if (rule == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("pre-tokenizer '", ToAbsl(pre), "' is not known; known: ", PreTokenizerNames()));
  }
  BytePairTokenizer::Parts parts;
  std::vector<VocabularyToken>& tokens = parts.vocabulary.tokens;
  ENIGMA_RETURN_IF_ERROR(ReadRanks(ranks, tokens));
  const size_t rank_end = tokens.size();
  for (const std::string& text : special_tokens) {
    tokens.push_back({.text = text, .bytes = text, .type = TokenType::kControl});
  }
  ENIGMA_RETURN_IF_ERROR(parts.vocabulary.IndexTexts());
  for (int byte = 0; byte < 256; ++byte) {
    const char text = static_cast<char>(byte);
    parts.byte_tokens[byte] = parts.vocabulary.Find({&text, 1}).value_or(-1);
  }
  parts.merges = MergesByRank(parts.vocabulary, rank_end);
  parts.vocabulary.bos = FirstOf(parts.vocabulary, {"<|begin_of_text|>", "<s>"});
  parts.vocabulary.eos = FirstOf(parts.vocabulary, {"<|end_of_text|>", "<|endoftext|>", "</s>"});
  parts.vocabulary.add_bos = rule->add_bos && parts.vocabulary.bos;
  parts.vocabulary.MarkEndOfGeneration();
  ENIGMA_ASSIGN_OR_RETURN(parts.pre_tokenizer, PreTokenizer::Create(rule->patterns));
  parts.ignore_merges = true;  // tiktoken looks a piece up as a whole first
  return std::make_unique<BytePairTokenizer>(std::move(parts));
}

}  // namespace enigma::engine
