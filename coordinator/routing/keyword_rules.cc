#include "coordinator/routing/keyword_rules.h"

#define PCRE2_CODE_UNIT_WIDTH 8
#include <pcre2.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <utility>

#include <absl/strings/ascii.h>
#include <absl/strings/numbers.h>
#include <absl/strings/str_cat.h>

#include "base/status_macros.h"

namespace enigma::coordinator {
namespace {

constexpr uint32_t kStepsMax = 1'000'000;

// A word ends where no letter, mark or digit follows; what is none of these, or of a script without spaces, needs none.
constexpr char kWord[] = "\\p{L}\\p{M}\\p{N}_";
constexpr char kUnspaced[] = "\\p{Han}\\p{Hiragana}\\p{Katakana}\\p{Thai}\\p{Lao}\\p{Khmer}\\p{Myanmar}\\p{Tibetan}";

// As a pattern that matches it and nothing else, any space where it has some.
std::string Quoted(std::string_view keyword) {
  std::string pattern;
  bool in_space = false;
  for (const char c : keyword) {
    const auto byte = static_cast<unsigned char>(c);
    if (absl::ascii_isspace(byte)) {
      if (!in_space) pattern += "\\s+";
      in_space = true;
      continue;
    }
    in_space = false;
    if (absl::ascii_ispunct(byte)) pattern += '\\';
    pattern += c;
  }
  return pattern;
}

// Longer keywords first, since the first that matches at a place is taken.
std::vector<size_t> ByLength(const std::vector<std::string>& keywords) {
  std::vector<size_t> order(keywords.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](size_t a, size_t b) { return keywords[a].size() > keywords[b].size(); });
  return order;
}

// One of these keywords, each with its number as a mark.
std::string PatternOf(const std::vector<std::string>& keywords, std::span<const size_t> order) {
  std::string either;
  for (const size_t i : order)
    absl::StrAppend(&either, either.empty() ? "" : "|", Quoted(keywords[i]), "(*MARK:", i, ")");
  return absl::StrCat("(?:(?<![", kWord, "])|(?=[^", kWord, "])|(?=[", kUnspaced, "]))(?:", either, ")(?:(?![", kWord,
                      "])|(?<=[^", kWord, "])|(?<=[", kUnspaced, "]))");
}

PCRE2_SPTR8 Subject(std::string_view text) { return reinterpret_cast<PCRE2_SPTR8>(text.data()); }

// One pattern's way through a text.
class Search {
 public:
  Search(const pcre2_code_8* code, pcre2_match_context_8* context, std::string_view text)
      : code_(code),
        context_(context),
        text_(text),
        data_(pcre2_match_data_create_8(1, nullptr), &pcre2_match_data_free_8) {}

  // To the first match from `at` on.
  void MoveTo(size_t at) {
    if (start_ == kNone || (found_ && start_ >= at)) return;
    found_ = at < text_.size() &&
             pcre2_match_8(code_, Subject(text_), text_.size(), at, 0, data_.get(), context_) >= 0;  // or a limit
    start_ = found_ ? pcre2_get_ovector_pointer_8(data_.get())[0] : kNone;
  }
  size_t start() const { return start_; }  // kNone: there is no match any more
  size_t end() const { return pcre2_get_ovector_pointer_8(data_.get())[1]; }
  void AddKeyword(std::set<size_t>& found) const {
    size_t keyword = 0;
    const PCRE2_SPTR8 mark = pcre2_get_mark_8(data_.get());
    if (mark != nullptr && absl::SimpleAtoi(reinterpret_cast<const char*>(mark), &keyword)) found.insert(keyword);
  }

  static constexpr size_t kNone = std::string_view::npos;

 private:
  const pcre2_code_8* code_;
  pcre2_match_context_8* context_;
  std::string_view text_;
  std::unique_ptr<pcre2_match_data_8, void (*)(pcre2_match_data_8*)> data_;
  bool found_ = false;
  size_t start_ = 0;
};

// Numbers of the keywords that stand in the text: from each place on the first, of those at one place that of the first
// pattern, as if all were one.
void FindIn(std::vector<Search> searches, std::set<size_t>& found) {
  size_t at = 0;
  while (true) {
    for (Search& search : searches) search.MoveTo(at);
    const auto first = std::min_element(searches.begin(), searches.end(),
                                        [](const Search& a, const Search& b) { return a.start() < b.start(); });
    if (first == searches.end() || first->start() == Search::kNone) return;
    first->AddKeyword(found);
    at = std::max<size_t>(first->end(), at + 1);
  }
}

}  // namespace

KeywordRules::KeywordRules(KeywordRules&&) noexcept = default;
KeywordRules::~KeywordRules() = default;

void KeywordRules::FreeCode::operator()(pcre2_real_code_8* code) const { pcre2_code_free_8(code); }

absl::Status KeywordRules::Compile(const std::vector<std::string>& keywords, std::span<const size_t> order,
                                   std::vector<Code>& codes) {
  const std::string pattern = PatternOf(keywords, order);
  int error = 0;
  PCRE2_SIZE error_at = 0;
  Code code(pcre2_compile_8(Subject(pattern), pattern.size(),
                            PCRE2_UTF | PCRE2_UCP | PCRE2_CASELESS | PCRE2_MATCH_INVALID_UTF, &error, &error_at,
                            nullptr));
  if (code != nullptr) {
    pcre2_jit_compile_8(code.get(), PCRE2_JIT_COMPLETE);  // where it may not be made, the same code is interpreted
    codes.push_back(std::move(code));
    return absl::OkStatus();
  }
  if (error == PCRE2_ERROR_PATTERN_TOO_LARGE && order.size() > 1) {
    ENIGMA_RETURN_IF_ERROR(Compile(keywords, order.first(order.size() / 2), codes));
    return Compile(keywords, order.subspan(order.size() / 2), codes);
  }
  PCRE2_UCHAR8 message[256] = {};
  pcre2_get_error_message_8(error, message, sizeof message);
  return absl::InvalidArgumentError(
      absl::StrCat("'", keywords[order.front()], "' or one of those behind it: ", reinterpret_cast<char*>(message)));
}

absl::StatusOr<KeywordRules> KeywordRules::Create(const std::vector<Task>& tasks) {
  KeywordRules rules;
  for (const Task& task : tasks) {
    Rule& rule = rules.rules_.emplace_back();
    rule.keywords = task.keywords;
    if (rule.keywords.empty()) continue;
    const absl::Status compiled = Compile(rule.keywords, ByLength(rule.keywords), rule.codes);
    if (!compiled.ok()) {
      return absl::InvalidArgumentError(absl::StrCat("tasks.", task.name, ".keywords: ", compiled.message()));
    }
  }
  return rules;
}

std::optional<KeywordRules::Match> KeywordRules::Find(std::string_view text) const {
  const std::unique_ptr<pcre2_match_context_8, void (*)(pcre2_match_context_8*)> context(
      pcre2_match_context_create_8(nullptr), &pcre2_match_context_free_8);
  pcre2_set_match_limit_8(context.get(), kStepsMax);
  std::optional<Match> best;
  size_t best_longest = 0;
  for (size_t i = 0; i < rules_.size(); ++i) {
    std::set<size_t> found;
    const auto find_in = [&](std::string_view part) {
      std::vector<Search> searches;
      for (const Code& code : rules_[i].codes) searches.emplace_back(code.get(), context.get(), part);
      FindIn(std::move(searches), found);
    };
    find_in(text.substr(0, kEndBytes));
    if (text.size() > kEndBytes) find_in(text.substr(std::max(kEndBytes, text.size() - kEndBytes)));
    if (found.empty()) continue;
    size_t longest = 0;
    Match match{.task = i, .words = {}};
    for (const size_t keyword : found) {
      longest = std::max(longest, rules_[i].keywords[keyword].size());
      match.words.push_back(rules_[i].keywords[keyword]);
    }
    const bool better = !best || match.words.size() > best->words.size() ||
                        (match.words.size() == best->words.size() && longest > best_longest);
    if (!better) continue;
    best = std::move(match);
    best_longest = longest;
  }
  return best;
}

}  // namespace enigma::coordinator
